import { Socket } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { LogConnection } from '../../../lib/revocation/log/log-connection.service.js';

/** What a number of requests asked of the outside world. */
export interface Calls {
  readonly database: number;
  readonly network: number;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Counts every statement that SQLite runs in this process and every write to a socket, while `work`
 * runs. The polls of the feed, which come by the clock and not by requests, are told apart.
 */
export async function countCalls(app: INestApplication, work: () => Promise<void>): Promise<Calls> {
  const { default: Database } = await import('better-sqlite3');
  const memory = new Database(':memory:');
  const statements = Object.getPrototypeOf(memory.prepare('SELECT 1')) as object;
  const { database } = await app.get(LogConnection, { strict: false }).open();
  const counts = { statements: 0, writes: 0, polls: 0 };
  const undo = [
    spy(statements, ['all', 'get', 'run'], () => counts.statements++),
    spy(Socket.prototype, ['write', 'connect'], () => counts.writes++),
    spy(database, ['poll'], () => counts.polls++),
  ];
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
    memory.close();
  }
  return { database: counts.statements - counts.polls, network: counts.writes };
}

function spy(target: object, names: readonly string[], count: () => void): () => void {
  const methods = target as Record<string, Method>;
  const originals = names.map((name) => [name, methods[name] as Method] as const);
  for (const [name, original] of originals) {
    methods[name] = function (...args) {
      count();
      return original.apply(this, args);
    };
  }
  return () => {
    for (const [name, original] of originals) methods[name] = original;
  };
}
