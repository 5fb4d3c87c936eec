import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication, Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtAuthGuard } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { clockOf, controlPolls, letTimePass } from '../../support/controlled-instance.js';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { AuthMeter } from '../../support/internals.js';
import { mintToken } from '../../support/mint-token.js';
import { asked as noteLine } from './asked.js';
import type { Handler, Placement } from './handlers.js';
import { type RowName, ROWS } from './table.js';

/** What a client sends, each in its place of the transport. */
export interface Sent {
  /** In the place for tokens; a text, or what a hostile client puts there. */
  readonly authorization?: unknown;
  /** In another place. */
  readonly second?: string;
}

/** Which user was seen, or what the client received. */
export type Answer = { readonly who: string } | { readonly refusal: Refusal };

/** A refusal in the form in which it arrived. */
export interface Refusal {
  readonly code: unknown;
  readonly reason?: unknown;
  /** As the transport numbers it. */
  readonly status: unknown;
  readonly raw: unknown;
}

/** How a transport is asked. */
export interface Client {
  ask(handler: Handler, sent: Sent): Promise<Answer>;
  close?(): Promise<unknown> | void;
}

/** One line of the matrix. */
export interface Line {
  readonly name: RowName;
  readonly connect: (instance: Instance) => Promise<Client>;
  /** The transport's number for an HTTP status. */
  readonly status?: (http: number) => unknown;
  /** The whole refusal, as the client sees it, of this body. */
  readonly form: (body: object) => unknown;
  /** What a client can put in place of a token, apart from text. */
  readonly garbage?: unknown;
  /** `false` where the server that it needs does not run here: its tests are skipped by name. */
  readonly available?: boolean;
}

const BEARER = 'Bearer ';

/** One application for all its lines: it is started, asked everything, and cut off from the log at last. */
export function describeMatrix(
  title: string,
  placement: Placement,
  settings: (given: InstanceSettings) => InstanceSettings,
  lines: readonly Line[],
  more: (started: () => Instance) => void = () => undefined,
): void {
  describe(`${title}, guarded by ${placement}`, () => {
    let database: TestDatabase;
    let instance: Instance;
    let good: string;
    let ended: string;
    let expired: string;
    let old: string;
    let silent: string;
    const clients = new Map<Line, Client>();
    const here = lines.filter(({ available }) => available !== false);

    beforeAll(async () => {
      database = await sqlite.migrated();
      instance = await startInstance(database, settings(guardedBy(placement)));
      await instance.app.startAllMicroservices();
      await instance.app.listen(0, '127.0.0.1');
      for (const line of here) clients.set(line, await line.connect(instance));
      good = await instance.login('alice');
      ended = await instance.login('alice');
      await instance.logout.logout(ended);
      const now = Math.floor(Date.now() / 1000);
      const ours = { iss: 'https://issuer.test', aud: 'https://audience.test' };
      expired = mintToken({ ...ours, iat: now - 600, exp: now - 300 });
      old = mintToken({ ...ours, auth_time: now - 310 });
      silent = mintToken(ours);
    });
    afterAll(async () => {
      for (const client of clients.values()) await client.close?.();
      jest.restoreAllMocks();
      await instance?.close();
      await database?.drop();
    });

    const bearer = (token: string): Sent => ({ authorization: `${BEARER}${token}` });

    for (const line of lines) {
      noteLine(line.name);
      (line.available === false ? describe.skip : describe)(line.name, () => asked(line));
    }

    /** Asks, and checks that the metrics count a refusal once, and no acceptance. */
    async function askOnce(line: Line, handler: Handler, sent: Sent): Promise<Answer> {
      const before = countsOf(instance);
      const answer = await clients.get(line)!.ask(handler, sent);
      const code = 'refusal' in answer ? String(answer.refusal.code) : undefined;
      const counted = code === undefined ? {} : { [code]: (before[code] ?? 0) + 1 };
      expect([handler, countsOf(instance)]).toEqual([handler, { ...before, ...counted }]);
      return answer;
    }

    function asked(line: Line): void {
      const ask = (handler: Handler, sent: Sent): Promise<Answer> => askOnce(line, handler, sent);
      const status = line.status ?? ((http: number) => http);
      const refused = (http: number, code: string): object => ({
        refusal: expect.objectContaining({ code, status: status(http) }),
      });

      it('the guard accepts a valid token, and knows its user', async () => {
        for (const handler of ['guarded', 'optional', 'strict', 'last', 'twice'] as const) {
          expect([handler, await ask(handler, bearer(good))]).toEqual([handler, { who: 'alice' }]);
        }
      });

      it('the guard refuses a request without a token, unless the handler is public or optional', async () => {
        expect(await ask('guarded', {})).toEqual(refused(401, 'token_missing'));
        expect(await ask('optional', {})).toEqual({ who: 'nobody' });
        expect(await ask('open', {})).toEqual({ who: 'nobody' });
      });

      it('the guard does not read the token of a public handler', async () => {
        expect(await ask('open', bearer(good))).toEqual({ who: 'nobody' });
        expect(await ask('open', bearer(ended))).toEqual({ who: 'nobody' });
      });

      it('the guard refuses an expired token', async () => {
        expect(await ask('guarded', bearer(expired))).toEqual(refused(401, 'token_expired'));
        expect(await ask('optional', bearer(expired))).toEqual(refused(401, 'token_expired'));
        expect(await ask('last', bearer(expired))).toEqual({ who: 'alice' });
      });

      it('the guard refuses a revoked token with code and reason, in the form of the transport', async () => {
        const answer = await ask('guarded', bearer(ended));
        expect(answer).toEqual(refused(401, 'session_ended'));
        const { raw, reason } = (answer as { refusal: Refusal }).refusal;
        expect(reason).toBe('logout');
        expect(raw).toEqual(
          line.form({
            statusCode: 401,
            error: 'Unauthorized',
            message: expect.any(String),
            code: 'session_ended',
            reason: 'logout',
          }),
        );
        expect(await ask('optional', bearer(ended))).toEqual(refused(401, 'session_ended'));
        expect(await ask('twice', bearer(ended))).toEqual(refused(401, 'session_ended'));
        expect(await ask('last', bearer(ended))).toEqual({ who: 'alice' });
      });

      it('the guard refuses a login that is too old, and says how recent it must be', async () => {
        expect(await ask('recent', bearer(good))).toEqual({ who: 'alice' });
        expect(await ask('recent', bearer(ended))).toEqual(refused(401, 'session_ended'));
        expect(await ask('guarded', bearer(old))).toEqual({ who: 'alice' });
        const answer = await ask('recent', bearer(old));
        expect(answer).toEqual(refused(401, 'login_too_old'));
        expect((answer as { refusal: Refusal }).refusal.raw).toEqual(
          line.form({
            statusCode: 401,
            error: 'Unauthorized',
            message: expect.any(String),
            code: 'login_too_old',
            max_age: 300,
          }),
        );
        // A token that does not say when its user logged in, as one of release 0.1.
        expect(await ask('recent', bearer(silent))).toEqual(refused(401, 'login_too_old'));
        // By RevocationGuard, after JwtAuthGuard has accepted it.
        expect(await ask('longAgo', bearer(good))).toEqual(refused(401, 'login_too_old'));
      });

      it('the guard refuses two tokens, and a text that is not a token', async () => {
        if ('second' in ROWS[line.name]) {
          const two = { ...bearer(good), second: await instance.login('bob') };
          expect(await ask('guarded', two)).toEqual(refused(400, 'invalid_request'));
          expect(await ask('optional', two)).toEqual(refused(400, 'invalid_request'));
        }
        const garbage = { authorization: line.garbage ?? 'Bearer' };
        expect(await ask('guarded', garbage)).toEqual(refused(401, 'token_malformed'));
        expect(await ask('optional', garbage)).toEqual(refused(401, 'token_malformed'));
        expect(await ask('guarded', bearer('a.b.c'))).toEqual(refused(401, 'token_malformed'));
      });
    }

    more(() => instance);

    describe('while freshness cannot be proven', () => {
      beforeAll(async () => {
        (await controlPolls(instance)).fail();
        letTimePass(clockOf(instance), 60_000);
      });

      it.each(here.map((line) => [line.name, line] as const))(
        '%s: the guard refuses with 503, unless the handler says otherwise',
        async (_name, line) => {
          const ask = (handler: Handler): Promise<Answer> => askOnce(line, handler, bearer(good));
          const unknown = {
            refusal: expect.objectContaining({
              code: 'revocation_state_unknown',
              status: line.status?.(503) ?? 503,
            }),
          };
          expect(await ask('guarded')).toEqual(unknown);
          expect(await ask('strict')).toEqual(unknown);
          expect(await ask('lenient')).toEqual({ who: 'alice' });
        },
      );
    });
  });
}

function countsOf({ app }: Instance): Record<string, number> {
  const { refusals, unavailable } = app.get(AuthMeter);
  return { ...refusals, ...unavailable };
}

function guardedBy(placement: Placement): InstanceSettings {
  const guards: Provider[] = [{ provide: APP_GUARD, useExisting: JwtAuthGuard }];
  return {
    clock: new TestClock(),
    options: { staleWait: 0, accessTokenTtl: '2h' },
    providers: placement === 'APP_GUARD' ? guards : [],
    beforeInit: (app: INestApplication) => {
      if (placement === 'useGlobalGuards') app.useGlobalGuards(app.get(JwtAuthGuard));
    },
  };
}
