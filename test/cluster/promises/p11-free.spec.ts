import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, UseGuards } from '@nestjs/common';
import { Agent, get, type Server } from 'node:http';
import { Socket } from 'node:net';
import { JwtAuthGuard } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { rounds } from '../../support/rounds.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const ROUNDS = rounds(100, 500);

/** What PostgreSQL's pool logs when it closes a connection that was idle for ten seconds. */
const GOODBYE = 'X\0\0\0\x04';

@Controller('me')
@UseGuards(JwtAuthGuard)
class GuardedController {
  @Get()
  read(): string {
    return 'read';
  }
}

describe.each(['express', 'fastify'] as const)('P11 free with %s', (platform) => {
  describeOn(serverKinds, 'the steady state', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let clock: TestClock;
    let instance: Instance;
    let url: string;
    let agent: Agent;
    const connect = Socket.prototype.connect;
    /** Statements to the database, in pieces; and connections to anywhere. */
    let sent = 0;
    let connections = 0;

    beforeEach(async () => {
      database = await kind.migrated();
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      // The clock does not move, so nothing that is counted is a poll.
      clock = new TestClock();
      instance = await startInstance(before.through, {
        clock,
        platform,
        controllers: [GuardedController],
      });
      await instance.app.listen(0, '127.0.0.1');
      url = await instance.app.getUrl();
      // On a busy machine the next request may come after the usual five seconds.
      (instance.app.getHttpServer() as Server).keepAliveTimeout = 0;
      agent = new Agent({ keepAlive: true, maxSockets: 1 });
      proxy.watch((bytes) => {
        if (bytes !== GOODBYE) sent++;
        return 'pass';
      });
      Socket.prototype.connect = function (this: Socket, ...given: unknown[]) {
        connections++;
        return Reflect.apply(connect, this, given) as Socket;
      } as typeof connect;
    });

    afterEach(async () => {
      Socket.prototype.connect = connect;
      agent?.destroy();
      await instance?.close();
      await proxy?.close();
      await database?.drop();
    });

    const read = (token: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}` };
        get(`${url}/me`, { agent, headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0));
        }).once('error', reject);
      });

    it(`${2 * ROUNDS} requests send nothing to the database and open no connection`, async () => {
      const [good, ended] = [await instance.login('alice'), await instance.login('bob')];
      await instance.logout.logout(ended);
      expect(await read(good)).toBe(200);
      sent = 0;
      connections = 0;
      for (let round = 0; round < ROUNDS; round++) {
        expect([await read(good), await read(ended)]).toEqual([200, 401]);
      }
      expect({ sent, connections }).toEqual({ sent: 0, connections: 0 });
      // The counters do count: a poll is seen, and so is a logout.
      await instance.feed.strictProof();
      expect(sent).toBeGreaterThan(0);
      sent = 0;
      await instance.logout.logout(good);
      expect(sent).toBeGreaterThan(0);
      agent.destroy();
      connections = 0;
      expect(await read(good)).toBe(401);
      expect(connections).toBe(1);
    });
  });
});
