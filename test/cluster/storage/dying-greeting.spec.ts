import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';

/** The end of PostgreSQL's greeting: ReadyForQuery, idle. */
const READY = Buffer.from('5a0000000549', 'hex');

/** `FATAL: terminating connection`, as a server says it that is being killed. */
const FATAL = errorResponse({ S: 'FATAL', V: 'FATAL', C: '57P01', M: 'terminating connection' });

describeOn([postgres], 'a server that dies while it greets, both in one piece', (kind) => {
  let database: TestDatabase;
  let network: Server;
  let instance: Instance;
  const sockets = new Set<Socket>();
  let deaths = 0;

  beforeEach(async () => {
    database = await kind.create();
    const target = new URL(database.url);
    const { hostname, port } = target;
    network = createServer((client) => {
      const server = connect(Number(port), hostname);
      for (const socket of [client, server]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => [client, server].forEach((each) => each.destroy()));
      }
      client.on('data', (bytes) => server.write(bytes));
      server.on('data', (bytes: Buffer) => {
        const isGreeting = deaths > 0 && bytes.subarray(-READY.length).equals(READY);
        if (isGreeting) deaths--;
        client.write(isGreeting ? Buffer.concat([bytes, FATAL]) : bytes);
      });
    });
    network.listen(0, '127.0.0.1');
    await once(network, 'listening');
    target.port = String((network.address() as AddressInfo).port);
    const through = { ...database, options: { type: 'postgres', url: target.href } } as const;
    instance = await startInstance(through, { clock: new TestClock() });
  });

  afterEach(async () => {
    await instance?.close();
    for (const socket of sockets) socket.destroy();
    network?.close();
    await database?.drop();
  });

  it('a server that dies while it greets costs a connection, and not the process', async () => {
    const token = await instance.login('alice');
    for (const socket of sockets) socket.destroy();
    deaths = 2;
    await instance.logout.logout(token);
    expect(deaths).toBeLessThan(2);
    expect(await instance.judge(token)).toBe('session_ended');
  });
});

function errorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(fields).map(([field, value]) => `${field}${value}\0`);
  const body = Buffer.from(`${text.join('')}\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
