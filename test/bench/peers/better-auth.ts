import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import Database from 'better-sqlite3';
import { createHmac, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Credentials } from '../guard/credentials.js';
import { loadPeer } from './install.js';
import type { OpenedPeers } from './peer.js';

/** The used part of better-auth. */
interface BetterAuth {
  readonly betterAuth: (options: object) => {
    readonly options: object;
    readonly $context: Promise<{
      readonly authCookies: { readonly sessionToken: { readonly name: string } };
      readonly internalAdapter: {
        createUser(user: object): Promise<{ readonly id: string }>;
        createSession(userId: string): Promise<{ readonly id: string }>;
      };
    }>;
    readonly api: { getSession(context: { headers: Headers }): Promise<object | null> };
  };
}

interface Migration {
  readonly getMigrations: (options: object) => Promise<{ runMigrations(): Promise<void> }>;
}

const SESSIONS = 100_000;
const USED = 2_048;

/** better-auth's check of a session, in a guard, on SQLite: the database that costs it least. */
export async function betterAuth(secret: string, file: string): Promise<OpenedPeers | undefined> {
  const library = await loadPeer<BetterAuth>('better-auth');
  const migration = await loadPeer<Migration>('better-auth', 'better-auth/db/migration');
  if (library === undefined || migration === undefined) return undefined;
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  const auth = library.betterAuth({
    baseURL: 'http://127.0.0.1',
    secret,
    database,
    telemetry: { enabled: false },
    logger: { disabled: true },
  });
  await (await migration.getMigrations(auth.options)).runMigrations();
  const { authCookies, internalAdapter } = await auth.$context;
  const tokens = await fill(database, internalAdapter);
  const cookies = tokens.map((token) => {
    const signature = createHmac('sha256', secret).update(token).digest('base64');
    return `${authCookies.sessionToken.name}=${encodeURIComponent(`${token}.${signature}`)}`;
  });

  @Injectable()
  class SessionGuard implements CanActivate {
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const { headers } = context.switchToHttp().getRequest<{ headers: IncomingHttpHeaders }>();
      const session = await auth.api.getSession({
        headers: new Headers({ cookie: headers.cookie ?? '' }),
      });
      return session !== null;
    }
  }
  return {
    peers: [
      {
        name: 'better-auth',
        label: 'better-auth getSession() on SQLite',
        guard: SessionGuard,
        credentials: new Credentials(cookies.map((value) => ({ header: 'cookie', value }))),
      },
    ],
    close: async () => void database.close(),
  };
}

/** Its table of sessions, as large as the tables of the other peers; returns the tokens of some. */
async function fill(
  database: Database.Database,
  adapter: Awaited<ReturnType<BetterAuth['betterAuth']>['$context']>['internalAdapter'],
): Promise<string[]> {
  const user = await adapter.createUser({
    email: 'user@bench.test',
    name: 'u',
    emailVerified: true,
  });
  const { id } = await adapter.createSession(user.id);
  const copy = database.prepare(
    'INSERT INTO session (id, token, expiresAt, createdAt, updatedAt, ipAddress, userAgent, userId) ' +
      'SELECT ?, ?, expiresAt, createdAt, updatedAt, ipAddress, userAgent, userId FROM session WHERE id = ?',
  );
  const tokens = Array.from({ length: SESSIONS }, () => randomUUID().replaceAll('-', ''));
  database.transaction(() => tokens.forEach((token) => copy.run(randomUUID(), token, id)))();
  const step = Math.floor(SESSIONS / USED);
  return Array.from({ length: USED }, (_, i) => tokens[i * step] ?? '');
}
