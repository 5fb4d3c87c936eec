import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

/** A quarter of a second: small against every bound in this file. */
const STEP = 250;

describeOn(serverKinds, "P7 everywhere: wait: 'everywhere'", (kind) => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let clock: TestClock;
  let writer: Instance;
  let deaf: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    const before = await TcpProxy.before(database);
    proxy = before.proxy;
    clock = new TestClock();
    writer = await startInstance(database, { clock, options: { maxStaleness: '1s' } });
    // The other instance may be staler than the writer's own setting: it is in the head.
    const options = { maxStaleness: '6s', staleWait: 0 } as const;
    deaf = await startInstance(before.through, { clock, options });
  });

  afterEach(async () => {
    await Promise.all([writer?.close(), deaf?.close()]);
    await proxy?.close();
    await database?.drop();
  });

  it('wait: everywhere resolves only when an instance that hears nothing can no longer accept the token', async () => {
    const token = await writer.login();
    await deaf.feed.strictProof();
    expect(await deaf.judge(token)).toBe('active');
    proxy.refuse();

    const seen = { isDone: false };
    const logout = writer.logout.logout(token, { wait: 'everywhere' }).then((receipt) => {
      seen.isDone = true;
      return receipt;
    });
    while ((await writer.judge(token)) === 'active') await setImmediate();
    await setImmediate();

    let lastAccepted = -1;
    let elapsed = 0;
    for (; !seen.isDone && elapsed < 60_000; elapsed += STEP) {
      if ((await deaf.judge(token)) === 'active') lastAccepted = elapsed;
      clock.advance(STEP);
      await setImmediate();
    }
    const receipt = await logout;
    expect(receipt.effectiveEverywhereWithin).toBe(6);
    expect(await deaf.judge(token)).toBe('revocation_state_unknown');
    // It accepted for nearly as long as it may: the wait was not for nothing.
    expect(lastAccepted).toBeGreaterThanOrEqual(5_000);
    expect(lastAccepted).toBeLessThan(elapsed);
    proxy.admit();
  });

  it('wait: everywhere resolves no sooner than the bound, even if all instances have followed', async () => {
    const token = await writer.login();
    let isDone = false;
    const logout = writer.logout.logout(token, { wait: 'everywhere' }).then(() => (isDone = true));
    while ((await writer.judge(token)) === 'active') await setImmediate();
    await deaf.feed.strictProof();
    expect(await deaf.judge(token)).toBe('session_ended');
    clock.advance(5_900);
    await setImmediate();
    expect(isDone).toBe(false);
    clock.advance(200);
    expect(await logout).toBe(true);
  });
});
