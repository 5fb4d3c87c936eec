import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { PostgresPair } from '../../support/postgres-pair.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { describeOnServer } from '../../support/describe-on-server.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { Load, peerOver } from './load.js';

/** The bound that is promised (s). */
const MAX_STALENESS = 1;

describeOnServer('killed with -9 under load and started again', () => {
  let pair: PostgresPair;
  let processes: QuickstartProcess[];

  beforeAll(async () => {
    pair = await PostgresPair.start();
    const env = {
      DATABASE_URL: pair.database.url,
      AUTH_SECRET: SHARED_SECRET,
      MAX_STALENESS: String(MAX_STALENESS),
    };
    processes = await Promise.all([
      QuickstartProcess.start(env),
      QuickstartProcess.start({ ...env, PLATFORM: 'fastify' }),
    ]);
  });

  afterAll(async () => {
    await QuickstartProcess.stopAll();
    await pair?.remove();
  });

  it('E4: database down: no wrong decision, 503 meanwhile, recovery without a restart, nothing lost', async () => {
    const spared = Array.from({ length: 10 }, () => mintToken());
    const queue = Array.from({ length: 5_000 }, () => mintToken());
    const load = new Load(
      processes.map((each, index) => peerOver(`instance ${index}`, each)),
      spared,
      queue,
    );
    load.start();
    await load.afterLogouts(20);
    await pair.killPrimary();
    await load.everywhere('unknown');
    // A token that is known to be revoked is still refused.
    await load.everywhere('refused');
    const token = mintToken();
    expect(await processes[0]?.logout(token)).toBe(503);
    await pair.restartPrimary();
    await load.everywhere('accepted');
    expect(await processes[0]?.logout(token)).toBe(204);
    await load.afterLogouts(20);
    await load.stop();
    expect(load.violations(MAX_STALENESS * 1000)).toEqual([]);
    expect(load.unresolved).toBeGreaterThan(0);

    // Durable: an instance that knows only what the database kept.
    const [first] = processes;
    await first?.kill();
    const young = (await first?.restart()) as QuickstartProcess;
    for (const token of load.resolved) expect(await young.me(token)).toBe(401);
    for (const token of spared) expect(await young.me(token)).toBe(200);
  });
});
