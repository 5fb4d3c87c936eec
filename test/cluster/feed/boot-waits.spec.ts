import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type AuthSettings, AuthWiringError, secretKid } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { eventually } from '../../support/eventually.js';

describe('the boot waits for the first load, for at most bootTimeout', () => {
  describeOn(serverKinds, 'a database that is not running yet', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let through: TestDatabase;
    let clock: TestClock;
    let starting: Promise<Instance>;

    beforeEach(async () => {
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      database = await kind.create();
      ({ proxy, through } = await TcpProxy.before(database));
      clock = new TestClock();
    });

    afterEach(async () => {
      await starting.then(
        (instance) => instance.close(),
        () => undefined,
      );
      await proxy.close();
      await database.drop();
      jest.restoreAllMocks();
    });

    /** The application reaches its database; only the log's own connections are turned away. */
    const startWithoutIt = async (options: Partial<AuthSettings> = {}): Promise<void> => {
      proxy.refuse();
      starting = startInstance(database, {
        clock,
        options: { dataSource: through.options, bootTimeout: '10s', ...options },
      });
      starting.catch(() => undefined); // each test checks it when it is time
      // Its first attempt has failed, and another one has begun.
      await eventually(() => {
        clock.advance(1);
        return proxy.refused > 1;
      });
    };
    /** Lets the backoff run out, and not the boot's patience: the boot began less than 1 s ago. */
    const retryUntilDone = async (): Promise<void> => {
      let isDone = false;
      void starting.catch(() => undefined).then(() => (isDone = true));
      await eventually(() => {
        clock.advance(1);
        return isDone;
      });
    };

    it('the boot waits for a database that starts within bootTimeout', async () => {
      await startWithoutIt();
      proxy.admit();
      await retryUntilDone();
      expect((await starting).revocation.status()).toMatchObject({ ready: true, fresh: true });
    });

    it('the boot waits for the database, and stops when our tables are missing', async () => {
      await startWithoutIt({ migrations: 'check' });
      proxy.admit();
      await retryUntilDone();
      await expect(starting).rejects.toThrow(AuthWiringError);
    });

    it('after bootTimeout the application starts without the database, and its guards answer 503', async () => {
      await startWithoutIt();
      let isUp = false;
      void starting.then(() => (isUp = true));
      clock.advance(8_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(isUp).toBe(false);
      clock.advance(10_000);
      expect((await starting).revocation.status()).toMatchObject({ ready: false, fresh: false });
    });

    it('a host whose clock is an hour behind answers 503, not 401, until it knows the database’s time', async () => {
      clock.skewWall(-3_600_000);
      await startWithoutIt();
      clock.advance(18_000);
      const { tokens, revocation } = await starting;
      const iat = Math.floor(Date.now() / 1000);
      const claims = {
        iss: 'https://issuer.test',
        aud: 'https://audience.test',
        sub: 'alice',
        sid: 'a',
        jti: 'b',
        gen: 0,
        iat,
        nbf: iat,
        exp: iat + 300,
      };
      const kid = secretKid(SHARED_SECRET);
      const unknown = { status: 503, code: 'revocation_state_unknown' };
      await expect(tokens.verify(mintToken(claims))).rejects.toMatchObject(unknown);
      const active = revocation.assertActive(claims, { kid, checkTimes: true });
      await expect(active).rejects.toMatchObject(unknown);
    });
  });
});
