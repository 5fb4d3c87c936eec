import { randomBytes } from 'node:crypto';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { TestDatabase } from './databases.js';

/** A user of one database, whose password a test changes. */
export interface DatabaseUser {
  /** How this user reaches the database, by host and credentials. */
  readonly options: DataSourceOptions;
  setPassword(password: string): Promise<void>;
  /** Closes every connection that the user has, as an operator does who rotates a password. */
  disconnect(): Promise<void>;
  drop(): Promise<void>;
}

/** Creates a user who may do everything in this database. */
export async function createUser(
  database: TestDatabase,
  password: string,
  port?: number,
): Promise<DatabaseUser> {
  const name = `user_${randomBytes(6).toString('hex')}`;
  const url = new URL(database.url);
  const schema = url.pathname.slice(1);
  const admin = await new DataSource(database.options).initialize();
  const isPostgres = database.options.type === 'postgres';
  const account = isPostgres ? name : `'${name}'@'%'`;
  const run = async (sql: string): Promise<Record<string, unknown>[]> => admin.query(sql);
  await run(
    isPostgres
      ? `CREATE ROLE ${name} LOGIN PASSWORD '${password}'`
      : `CREATE USER ${account} IDENTIFIED BY '${password}'`,
  );
  await run(
    isPostgres ? `GRANT ALL ON SCHEMA public TO ${name}` : `GRANT ALL ON ${schema}.* TO ${account}`,
  );
  return {
    options: {
      type: isPostgres ? 'postgres' : 'mariadb',
      host: '127.0.0.1',
      port: port ?? Number(url.port || (isPostgres ? 5432 : 3306)),
      username: name,
      password,
      database: schema,
    },
    setPassword: async (next) => {
      await run(
        isPostgres
          ? `ALTER ROLE ${name} PASSWORD '${next}'`
          : `ALTER USER ${account} IDENTIFIED BY '${next}'`,
      );
    },
    disconnect: async () => {
      if (isPostgres) {
        await run(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${name}'`,
        );
      } else {
        await run(`KILL USER '${name}'`);
      }
    },
    drop: async () => {
      if (isPostgres) await run(`DROP OWNED BY ${name}`);
      await run(isPostgres ? `DROP ROLE ${name}` : `DROP USER ${account}`);
      await admin.destroy();
    },
  };
}
