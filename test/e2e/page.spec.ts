import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Quickstart, startBoth } from '../support/both-platforms.js';
import { SHARED_SECRET } from '../support/mint-token.js';
import { type RawAnswer, sendRaw } from '../support/raw-http.js';

let both: readonly [Quickstart, Quickstart];

beforeAll(async () => {
  both = await startBoth({ AUTH_SECRET: SHARED_SECRET });
});

afterAll(async () => {
  await Promise.all(both?.map(({ close }) => close()) ?? []);
});

/** The answer of both platforms, which must be one and the same. */
async function get(path: string): Promise<RawAnswer> {
  const [express, fastify] = await Promise.all(
    both.map(({ client }) => sendRaw(client.url, { path })),
  );
  expect(fastify).toEqual(express);
  return express as RawAnswer;
}

describe('the page', () => {
  it('the page is served at / with no-store and a strict policy', async () => {
    const { status, headers, body } = await get('/');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    const policy = headers['content-security-policy']?.split('; ') ?? [];
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
      ]),
    );
    expect(policy.join()).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(body).toContain('Log out');
  });

  it('the page follows its own policy: nothing inline, nothing from elsewhere', async () => {
    const { body } = await get('/');
    expect(body).not.toMatch(/<style|\sstyle=|\son[a-z]+=|https?:|javascript:/i);
    expect(body.match(/<script[^>]*>[^<]*/g)).toEqual([
      '<script type="module" src="/page/page.js">',
    ]);
  });

  it('every field of the page has a label, and changes are announced to screen readers', async () => {
    const { body } = await get('/');
    const names = [...body.matchAll(/<input\s[^>]*id="([^"]+)"/g)].map(([, id]) => id);
    expect(names).toEqual(['username', 'password']);
    for (const name of names) expect(body).toContain(`<label for="${name}">`);
    expect(body).toMatch(/<html lang="en">/);
    expect(body).toMatch(/role="status"/);
    expect(body).toMatch(/role="alert"/);
    expect(body).toMatch(/width=device-width/);
  });

  it.each([
    ['page.css', 'text/css; charset=utf-8'],
    ['page.js', 'text/javascript; charset=utf-8'],
    ['session.js', 'text/javascript; charset=utf-8'],
    ['api.js', 'text/javascript; charset=utf-8'],
    ['sentences.js', 'text/javascript; charset=utf-8'],
    ['icon.svg', 'image/svg+xml; charset=utf-8'],
  ])('the page serves %s', async (name, type) => {
    const { status, headers, body } = await get(`/page/${name}`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(body).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(/);
    expect(body).not.toMatch(/(?:local|session)Storage\.setItem|document\.cookie/);
  });

  it.each(['settings.ts', '..%2fsettings.ts', '..%2f..%2f..%2fpackage.json', '__proto__', '%00'])(
    'the page serves nothing else: %s',
    async (name) => {
      const { status, headers, body } = await get(`/page/${name}`);
      expect(status).toBe(404);
      expect(JSON.parse(body)).toMatchObject({ statusCode: 404, code: 'not_found' });
      expect(headers['cache-control']).toBe('no-store');
    },
  );
});
