import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describeOn, postgres } from '../../support/databases.js';
import { mintToken } from '../../support/mint-token.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { ISSUER } from '../../support/controlled-instance.js';
import { Cluster } from './cluster.js';

const MAIN = fileURLToPath(new URL('frozen-app.js', import.meta.url));

/** Longer than the bound of the application (ms): what it knew is stale when it continues. */
const FROZEN_FOR = 5_500;

describeOn([postgres], 'a process that was frozen (SIGSTOP)', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start();
  });

  afterEach(() => cluster?.close());

  it.each(['cut', 'forget'] as const)(
    'a process that was frozen (SIGSTOP) answers its first guarded request 200, although all its connections are closed (%s)',
    async (fate) => {
      const { network, through } = await cluster.network();
      const frozen = await QuickstartProcess.start({ DATABASE_URL: through.url }, undefined, MAIN);
      const token = mintToken({ iss: ISSUER, aud: 'https://audience.test' });
      expect(await frozen.me(token)).toBe(200);
      const { connections } = network;
      frozen.pause();
      network[fate]();
      await setTimeout(FROZEN_FOR);
      frozen.resume();
      expect(await frozen.me(token)).toBe(200);
      expect(network.connections).toBeGreaterThan(connections);
    },
  );
});
