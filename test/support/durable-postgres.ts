import { newName } from './database-server.js';
import type { DatabaseKind, TestDatabase } from './databases.js';
import { hasPostgresPrograms, PostgresServer } from './postgres-server.js';

/**
 * Databases on a PostgreSQL with fsync, for tests that need it, started when the first one is asked
 * for.
 */
export class DurablePostgres implements DatabaseKind {
  readonly name = 'PostgreSQL';
  readonly available = hasPostgresPrograms;
  private server: PostgresServer | undefined;

  async create(): Promise<TestDatabase> {
    if (this.server === undefined) {
      this.server = await PostgresServer.create({ fsync: 'on' });
      await this.server.start();
    }
    const name = newName();
    await this.server.query(`CREATE DATABASE ${name}`);
    const url = this.server.url(name);
    return { url, options: { type: 'postgres', url }, drop: async () => undefined };
  }

  /** The same: there is no template on this server. */
  migrated(): Promise<TestDatabase> {
    return this.create();
  }

  /** Stops the server and deletes its files. */
  async stop(): Promise<void> {
    await this.server?.remove();
  }
}
