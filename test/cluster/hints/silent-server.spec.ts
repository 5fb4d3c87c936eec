import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { HintContext, RevocationHint } from 'nestjs-logout';
import { postgresHint } from 'nestjs-logout/postgres';
import { redisHint } from 'nestjs-logout/redis';
import { eventually } from '../../support/eventually.js';

const kinds: readonly [string, (address: string) => RevocationHint][] = [
  ['PostgreSQL', (address) => postgresHint({ url: `postgres://root@${address}/none` })],
  ['Redis', (address) => redisHint({ url: `redis://${address}` })],
];

describe.each(kinds)('a %s that accepts connections and never answers', (_, hintTo) => {
  let server: Server;
  const open = new Set<Socket>();

  beforeEach(async () => {
    server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => undefined);
      socket.on('close', () => open.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });

  it('a server that accepts connections and never answers is given up, and no socket stays open for each attempt', async () => {
    const { port } = server.address() as AddressInfo;
    const context: HintContext = {
      channel: 'nestjs_logout_test',
      log: { type: 'postgres' },
      query: async () => undefined,
      hear: () => undefined,
      lost: () => undefined,
    };
    const hint = hintTo(`127.0.0.1:${port}`);
    await expect(hint.connect(context)).rejects.toThrow(/timeout|silent/);
    await eventually(() => open.size === 0);
  });
});
