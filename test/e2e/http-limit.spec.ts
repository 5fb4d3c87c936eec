import { afterEach, describe, expect, it } from '@jest/globals';
import { UnauthorizedException } from '@nestjs/common';
import { limitGuesses } from 'nestjs-logout';
import { GuessCounter } from '../../sample/01-quickstart/guess-counter.js';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { PASSWORD } from '../support/http-client.js';

let apps: HttpApp[] = [];

afterEach(async () => {
  await Promise.all(apps.map(({ close }) => close()));
  apps = [];
});

describe('http.limit', () => {
  it('refuses guesses beyond it with 429, the right one too; only wrong ones count', async () => {
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
      // Nobody else is locked out.
      expect((await client.login('bob')).access_token).toEqual(expect.any(String));
    }
  });

  it('counts a guess that throws 401 or gives false, and other spellings of the account', async () => {
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

  it('counts guesses at the same moment', async () => {
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
});
