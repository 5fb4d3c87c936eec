import { TestClock } from 'nestjs-logout/testing';
import { letTimePass } from '../../support/controlled-instance.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn, follow, readEvents } from '../../support/log-tables.js';

const MINUTE = 60_000;
const LIFE = 15 * MINUTE;

describe('G2: iat and exp come from the time of the database in the read of the position', () => {
  describeOn(databaseKinds, 'a login that pauses ten minutes before it signs', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let instance: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      instance = await startInstance(database, { clock });
    });

    afterEach(async () => {
      await instance?.close();
      await database?.drop();
    });

    const loginThatPauses = async (pause: () => Promise<void> | void): Promise<string> => {
      const login = await instance.sessions.login(async () => {
        await pause();
        return { subject: 'alice' };
      });
      return login?.accessToken ?? '';
    };

    it('a login that pauses before it signs gets no longer token lifetime', async () => {
      const began = Math.floor(clock.database() / 1000);
      const { iat, exp } = claimsIn(await loginThatPauses(() => clock.skewDatabase(10 * MINUTE)));
      expect({ iat, exp }).toEqual({ iat: began, exp: began + LIFE / 1000 });
    });

    it('the token of a login that pauses does not outlive the event that revoked it', async () => {
      const token = await loginThatPauses(async () => {
        await instance.logout.logoutAll('alice');
        clock.skewDatabase(10 * MINUTE);
      });
      const [event] = await readEvents(instance.dataSource);
      const until = event?.until ?? 0;
      expect(claimsIn(token).exp * 1000).toBeLessThan(until);

      // One moment after the event may be forgotten, on an instance that never read it. Another
      // event is behind it, and both are old enough to be purged.
      await instance.log.append([{ kind: 'session', issuer: 'https://issuer.test', sid: 'other' }]);
      letTimePass(clock, until - clock.database() + 10 * MINUTE + 11 * MINUTE);
      await instance.purge.purge();
      expect((await readEvents(instance.dataSource)).map(({ position }) => position)).toEqual([2]);
      const cold = await startInstance(database, { clock });
      expect(await cold.judge(token)).toBe('token_expired');
      await cold.close();
    });

    it('a login uses the clock of the database, whatever the clock of the host', async () => {
      clock.skewWall(-60 * MINUTE);
      clock.skewDatabase(0);
      const token = await instance.login();
      expect(claimsIn(token).iat).toBe(Math.floor(clock.database() / 1000));
      await follow(instance);
      expect(await instance.judge(token)).toBe('active');
    });
  });
});
