import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { AccountService, AuthEvents, LogoutService } from 'nestjs-logout';
import { type HttpApp, startHttp } from '../support/http-app.js';
import {
  cookiesOf,
  type HttpAnswer,
  type HttpRequestInit,
  type Pair,
  PASSWORD,
} from '../support/http-client.js';
import { SHARED_SECRET } from '../support/mint-token.js';

const TABLES = [
  'auth_log',
  'auth_head',
  'auth_event',
  'auth_pending',
  'auth_subject',
  'auth_session',
  'auth_refresh',
  'auth_instance',
];

/** Everything that is written down, and everything that was given out. */
class Witness {
  readonly secrets = new Set<string>([SHARED_SECRET, PASSWORD]);
  readonly written: string[] = [];

  /** Logs of every level. */
  readonly logger: LoggerService = Object.fromEntries(
    ['log', 'error', 'warn', 'debug', 'verbose', 'fatal'].map((level) => [
      level,
      (...words: unknown[]) => this.write(level, ...words),
    ]),
  ) as unknown as LoggerService;

  write(...words: unknown[]): void {
    this.written.push(
      words
        .map((word) =>
          word instanceof Error
            ? `${word.stack} ${String(word.cause)} ${JSON.stringify(word)}`
            : JSON.stringify(word),
        )
        .join(' '),
    );
  }

  hear(answer: HttpAnswer): HttpAnswer {
    const { access_token, refresh_token } = (answer.body ?? {}) as Partial<Pair>;
    for (const token of [access_token, refresh_token, ...Object.values(cookiesOf(answer))]) {
      if (token !== undefined && token !== '') this.secrets.add(token);
    }
    if (answer.status >= 400) this.write(answer.body, answer.headers, answer.cookies);
    return answer;
  }

  /** A token's parts are secret too: its signature, and the bytes of an opaque one. */
  found(): string[] {
    const text = this.written.join('\n').toLowerCase();
    const spellings = [...this.secrets].flatMap((secret) => [
      secret,
      ...(secret.startsWith('eyJ') ? [secret.split('.')[2] ?? secret] : []),
      Buffer.from(secret, 'base64url').toString('hex'),
      Buffer.from(secret).toString('base64'),
    ]);
    return spellings.filter((spelling) => spelling !== '' && text.includes(spelling.toLowerCase()));
  }
}

describe.each([
  ['tokens in bodies', false],
  ['tokens in cookies', true],
])('no token or secret is written down: %s', (_, cookies) => {
  const witness = new Witness();
  let app: HttpApp;

  beforeAll(async () => {
    app = await startHttp('express', { http: { cookies } });
    Logger.overrideLogger(witness.logger);
    app.app.get(AuthEvents).subscribe((event) => witness.write(event));
  });

  afterAll(async () => {
    await app?.close();
    Logger.overrideLogger(false);
  });

  const send = async (call: string, init: HttpRequestInit = {}): Promise<HttpAnswer> =>
    witness.hear(await app.client.send(call, init));
  const login = async (username: string): Promise<HttpRequestInit & { refresh: object }> => {
    const answer = await send('POST /auth/login', { json: { username, password: PASSWORD } });
    const { access_token, refresh_token } = answer.body as Pair;
    return cookies
      ? { cookies: cookiesOf(answer), refresh: { cookies: cookiesOf(answer) } }
      : { token: access_token, refresh: { json: { refresh_token } } };
  };

  it('the test calls the whole contract, with valid and invalid requests', async () => {
    const statuses = new Map<string, number>();
    const call = async (name: string, init: HttpRequestInit = {}): Promise<void> => {
      statuses.set(name, (await send(name, init)).status);
    };
    const [first, second, admin] = [
      await login('alice'),
      await login('alice'),
      await login('admin'),
    ];
    await call('GET /me', first);
    await call('GET /auth/sessions', first);
    await call('POST /auth/refresh', first.refresh);
    await call('POST /auth/introspect', {
      ...admin,
      json: { token: first.token ?? 'x'.repeat(43) },
    });
    await call('POST /auth/introspect', {
      ...first,
      json: { token: [...witness.secrets].at(-1) },
    });
    await call('DELETE /auth/sessions/of-nobody', first);
    await call('POST /auth/logout-others', first);
    await call('GET /me', second);
    app.clock.advance(60_000);
    // Reuse: the first refresh token again, after its grace.
    await call('POST /auth/refresh', first.refresh);
    await call('GET /me', first);
    const third = await login('alice');
    await app.app.get(AccountService).lock('alice', '1s');
    await call('GET /me', third);
    await call('POST /auth/refresh', third.refresh);
    await call('POST /auth/login', { json: { username: 'alice', password: `${PASSWORD}!` } });
    await call('POST /auth/login', { json: { username: 'alice' } });
    app.clock.advance(1_000);
    const fourth = await login('alice');
    await call('POST /auth/revoke', { json: { token: [...witness.secrets].at(-1) } });
    await call('POST /auth/logout-all', fourth);
    await call('POST /auth/logout', fourth);
    await call('GET /me', { token: `${[...witness.secrets].at(-1) ?? ''}x` });
    // A database that refuses: its error and the log lines must hold no token either.
    const fifth = await login('alice');
    await app.sql('ALTER TABLE auth_session RENAME TO away');
    await call('POST /auth/refresh', fifth.refresh);
    await call('POST /auth/logout', fifth);
    await app.sql('ALTER TABLE away RENAME TO auth_session');
    await app.app.get(LogoutService).revokeEveryone({ actor: 'operator' });
    expect(Object.fromEntries(statuses)).toMatchObject({
      'POST /auth/logout': 503,
      'POST /auth/logout-all': expect.any(Number),
    });
    expect(witness.secrets.size).toBeGreaterThan(10);
  });

  it('no row contains a token or secret', async () => {
    for (const table of TABLES) {
      const rows = (await app.sql(`SELECT * FROM ${table}`)) as Record<string, unknown>[];
      for (const row of rows) {
        witness.write(
          Object.values(row).map((value) =>
            value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
          ),
        );
      }
    }
    expect(witness.written.length).toBeGreaterThan(30);
    expect(witness.found()).toEqual([]);
  });

  it('the search finds a token or secret that is there', () => {
    const [secret] = [...witness.secrets].slice(-1);
    witness.write({ detail: `token ${secret}` });
    expect(witness.found()).not.toEqual([]);
  });
});
