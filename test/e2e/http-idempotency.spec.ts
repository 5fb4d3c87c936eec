import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { useBothPlatforms } from '../support/http-both.js';
import { cookiesOf, type HttpAnswer, type HttpClient, type Pair } from '../support/http-client.js';

const HOUR = 3_600_000;
const REFRESH = '__Host-refresh';

const both = useBothPlatforms();
const browsers = useBothPlatforms({ http: { cookies: true } });

describe('A28: POST /auth/refresh with an idempotency key', () => {
  const key = randomUUID();
  const refresh = (
    to: HttpClient,
    refresh_token: string,
    header?: string,
    idempotency_key?: unknown,
  ): Promise<HttpAnswer> =>
    to.send('POST /auth/refresh', {
      json: { refresh_token, idempotency_key },
      ...(header === undefined ? {} : { headers: { 'Idempotency-Key': header } }),
    });
  const tokenIn = ({ body }: HttpAnswer): string => (body as Pair).refresh_token;

  it.each([
    ['in the header', key, undefined],
    ['in the header, in the quotes of a structured field', `"${key}"`, undefined],
    ['in the body', undefined, key],
    ['in both', key, key],
  ])(
    'a refresh with the key gets the same successor an hour after the grace: %s',
    async (_, header, field) => {
      await both.answer(async (to, { clock }) => {
        const { refresh_token } = await to.login('alice');
        const lost = await refresh(to, refresh_token, key);
        clock.advance(HOUR);
        const again = await refresh(to, refresh_token, header, field);
        expect(again.status).toBe(200);
        expect(tokenIn(again)).toBe(tokenIn(lost));
        return again;
      });
    },
  );

  it('a retry without the key ends the session', async () => {
    const answer = await both.answer(async (to, { clock }) => {
      const { refresh_token } = await to.login('alice');
      await refresh(to, refresh_token, key);
      clock.advance(HOUR);
      return refresh(to, refresh_token);
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'refresh_token_reused' } });
  });

  it('a refresh accepts the key beside a cookie, and sets the same cookie again', async () => {
    await browsers.answer(async (to, { clock }) => {
      const jar = await to.loginWithCookies();
      const send = (): Promise<HttpAnswer> =>
        to.send('POST /auth/refresh', { cookies: jar, headers: { 'Idempotency-Key': key } });
      const lost = await send();
      clock.advance(HOUR);
      const again = await send();
      expect(again.status).toBe(200);
      expect(cookiesOf(again)[REFRESH]).toBe(cookiesOf(lost)[REFRESH]);
      return again;
    });
  });

  it.each([
    ['too short', 'k'.repeat(21), undefined],
    ['too long', 'k'.repeat(256), undefined],
    ['two keys', `${key}, ${key}`, undefined],
    ['a number', undefined, 7],
    ['null', undefined, null],
    ['a list', undefined, [key]],
    ['empty', undefined, ''],
    ['another in the header than in the body', key, randomUUID()],
  ])('a malformed key is 400 and consumes nothing: %s', async (_, header, field) => {
    const answer = await both.answer(async (to) => {
      const { refresh_token } = await to.login('alice');
      const refused = await refresh(to, refresh_token, header, field);
      expect((await refresh(to, refresh_token)).status).toBe(200);
      return refused;
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'idempotency_key_invalid' } });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('S7: the 21st rotation within one access-token lifetime is 429, with Retry-After', async () => {
    const answer = await both.answer(async (to) => {
      let { refresh_token } = await to.login('alice');
      for (let times = 0; times < 20; times++) {
        refresh_token = tokenIn(await refresh(to, refresh_token));
      }
      return refresh(to, refresh_token);
    });
    expect(answer).toMatchObject({ status: 429, body: { code: 'too_many_attempts' } });
    expect(answer.headers['retry-after']).toBe('900');
  });
});
