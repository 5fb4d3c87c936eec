import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { postgres, type TestDatabase } from '../../support/databases.js';
import { describeWithHints, type ProxiedHint } from '../../support/hint-kinds.js';
import { startInstance, type Instance } from '../../support/instance.js';
import { endSessions, knows } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { pushOf } from '../../support/push-link.js';

/** Milliseconds. */
const BOUND = 1_000;

const SILENCES = [
  ['frozen', (proxy: ProxiedHint['proxy']) => proxy.freeze()],
  ['cut off', (proxy: ProxiedHint['proxy']) => proxy.refuse()],
] as const;

describeWithHints('a lost push notification', (kind) => {
  let database: TestDatabase;
  let proxied: ProxiedHint;
  let here: Instance;
  let there: Instance;

  beforeEach(async () => {
    database = await postgres.migrated();
    proxied = await kind.through(database);
    const maxStaleness = BOUND / 1000;
    here = await startInstance(database, { options: { maxStaleness, hint: kind.direct() } });
    there = await startInstance(database, { options: { maxStaleness, hint: proxied.hint } });
    await eventually(() => there.revocation.status().hint === 'listening');
  });

  afterEach(async () => {
    proxied?.proxy.thaw();
    await here?.close();
    await there?.close();
    await proxied?.proxy.close();
    await database?.drop();
  });

  it.each(SILENCES)(
    'the bound holds while a push notification is %s, and later ones are received',
    async (_, silence) => {
      const wakeUp = jest.spyOn(pushOf(there), 'wakeUp');
      silence(proxied.proxy);
      wakeUp.mockClear();
      const from = performance.now();
      const ended: { sid: string; at: number }[] = [];
      let broken = 0;
      while (performance.now() < from + 2 * BOUND) {
        const [sid = ''] = await endSessions(here, 1);
        ended.push({ sid, at: performance.now() });
        await setTimeout(50);
        const isFresh = there.proofs.isFresh();
        const isKnown = (one: string): boolean => knows(there, one);
        // It may be unknown after the bound only to an instance that answers 503.
        for (const { sid, at } of ended) {
          if (isFresh && !isKnown(sid) && performance.now() > at + BOUND) broken++;
        }
      }
      expect(ended.length).toBeGreaterThan(3);
      expect(broken).toBe(0);
      expect(wakeUp).not.toHaveBeenCalled();

      proxied.proxy.admit();
      proxied.proxy.thaw();
      await eventually(() => there.revocation.status().hint === 'listening');
      wakeUp.mockClear();
      await eventually(async () => {
        await endSessions(here, 1);
        return wakeUp.mock.calls.length > 0;
      });
    },
  );
});
