import { afterEach, describe, expect, it } from '@jest/globals';
import { UnauthorizedException } from '@nestjs/common';
import { limitGuesses } from 'nestjs-logout';
import { GuessCounter } from '../../sample/01-quickstart/guess-counter.js';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { type HttpAnswer, type HttpClient, type Pair, PASSWORD } from '../support/http-client.js';

let apps: HttpApp[] = [];

afterEach(async () => {
  await Promise.all(apps.map(({ close }) => close()));
  apps = [];
});

describe('http.limit', () => {
  it('guesses beyond the limit get 429, the right one too, and only wrong ones count', async () => {
    apps = await startBothHttp({ http: { limit: new GuessCounter(3) } });
    for (const { client } of apps) {
      const statuses: number[] = [];
      const user = client === apps[0]?.client ? 'alice' : 'admin';
      for (const password of [
        PASSWORD,
        PASSWORD,
        'a',
        PASSWORD,
        'b',
        PASSWORD,
        'c',
        PASSWORD,
        'd',
      ]) {
        const json = { username: user, password };
        const answer = await client.send('POST /auth/login', { json });
        statuses.push(answer.status);
        if (answer.status !== 429) continue;
        expect(answer.body).toMatchObject({ statusCode: 429, code: 'too_many_attempts' });
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      expect(statuses).toEqual([200, 200, 401, 200, 401, 200, 401, 429, 429]);
      // No other client is locked out.
      expect((await client.login('bob')).access_token).toEqual(expect.any(String));
    }
  });

  it('a guess counts if the verifier throws 401 or returns false, also with other spellings of the account', async () => {
    const limit = new GuessCounter(3);
    const request = { ip: '192.0.2.1' };
    const unauthorized = new UnauthorizedException();
    const refuse = (): Promise<null> => Promise.reject(unauthorized);
    await expect(limitGuesses(limit, 'alice', request, refuse)).rejects.toBe(unauthorized);
    await limitGuesses(limit, ' Alice', request, () => Promise.resolve(false));
    const outage = new Error('no database');
    await expect(limitGuesses(limit, 'alice', request, () => Promise.reject(outage))).rejects.toBe(
      outage,
    );
    await limitGuesses(limit, 'ALICE', request, () => Promise.resolve(null));
    await expect(
      limitGuesses(limit, 'alice', request, () => Promise.resolve(true)),
    ).rejects.toMatchObject({ status: 429 });
  });

  it('guesses at the same moment all count', async () => {
    apps = await startBothHttp({ http: { limit: new GuessCounter(3) } });
    const { client } = apps[0] as HttpApp;
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        client.send('POST /auth/login', { json: { username: 'alice', password: `guess ${i}` } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(9);
  });

  it('an IPv6 address counts by its first 64 bits, and IPv4 inside IPv6 as IPv4', async () => {
    apps = await startBothHttp({ trustProxy: true, http: { limit: new GuessCounter(2) } });
    const guess = async (to: HttpClient, username: string, address: string): Promise<number> => {
      const headers = { 'x-forwarded-for': address };
      const json = { username, password: 'x' };
      return (await to.send('POST /auth/login', { json, headers })).status;
    };
    for (const [i, { client }] of apps.entries()) {
      const name = `user ${i}`;
      const v6 = ['2001:db8:0:1::1', '2001:db8::1:0:0:0:2', '2001:DB8:0:1:ffff::', '2001:db8::3'];
      const v4 = ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1', '192.0.2.2'];
      for (const addresses of [v6, v4]) {
        const statuses: number[] = [];
        for (const address of addresses) statuses.push(await guess(client, name, address));
        expect(statuses).toEqual([401, 401, 429, 401]);
      }
    }
  });

  it('wrong refresh tokens count by address, and a right one is never refused', async () => {
    apps = await startBothHttp({ http: { limit: new GuessCounter(2) } });
    const { client } = apps[0] as HttpApp;
    const refresh = (refresh_token: string): Promise<HttpAnswer> =>
      client.send('POST /auth/refresh', { json: { refresh_token } });
    let { refresh_token: right } = await client.login();
    const { refresh_token: ended, access_token: token } = await client.login();
    await client.send('POST /auth/logout', { token });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) {
      // An ended token is no guess.
      expect((await refresh(ended)).body).toMatchObject({ code: 'session_ended' });
      const { status, headers } = await refresh(`${i}`.repeat(43));
      statuses.push(status);
      if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      const { status: good, body } = await refresh(right);
      expect(good).toBe(200);
      ({ refresh_token: right } = body as Pair);
    }
    expect(statuses).toEqual([401, 401, 429, 429]);
    // Its guesses are no guesses at a password.
    expect((await client.login()).access_token).toEqual(expect.any(String));
  });
});

describe('logout-others', () => {
  it('logout-others beyond 30 calls in a minute is 429, writes nothing, and affects no other account', async () => {
    apps = await startBothHttp();
    for (const { client, clock, sql } of apps) {
      const { access_token: token } = await client.login('alice');
      const { access_token: other } = await client.login('bob');
      const repeat = (by = token): Promise<HttpAnswer> =>
        client.send('POST /auth/logout-others', { token: by });
      const statuses: number[] = [];
      for (let i = 0; i < 30; i++) statuses.push((await repeat()).status);
      expect(new Set(statuses)).toEqual(new Set([204]));
      const events = await sql('SELECT COUNT(*) AS count FROM auth_event');
      const refused = await repeat();
      expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_attempts' } });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect(await sql('SELECT COUNT(*) AS count FROM auth_event')).toEqual(events);
      expect((await repeat(other)).status).toBe(204);
      clock.advance(60_000);
      expect((await repeat()).status).toBe(204);
    }
  });
});
