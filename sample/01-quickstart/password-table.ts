import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AuthUnavailableException } from 'nestjs-logout';
import { DataSource, type DataSourceOptions, EntitySchema, type Repository } from 'typeorm';

/** The injection token of the application's database. */
export const DATABASE = Symbol('quickstart:database');

interface PasswordRow {
  name: string;
  /** `null`: the account was deleted. */
  password: string | null;
}

const PASSWORDS = new EntitySchema<PasswordRow>({
  name: 'quickstart_password',
  columns: {
    name: { type: 'varchar', length: 32, primary: true },
    password: { type: 'varchar', length: 128, nullable: true },
  },
});

const POOL: object = { entities: [PASSWORDS], poolSize: 2 };

// No `synchronize`: several instances may start at once, and it could change a table that is not ours.
const CREATE =
  'CREATE TABLE IF NOT EXISTS quickstart_password (name varchar(32) NOT NULL PRIMARY KEY, password varchar(128))';

/**
 * Changed passwords and deleted demo accounts. They are in the database, so that all instances and later
 * runs know them. It is opened when it is first needed: this application can start without its database.
 */
@Injectable()
export class PasswordTable implements OnApplicationShutdown {
  private opened: Promise<DataSource> | undefined;

  constructor(@Inject(DATABASE) private readonly database: DataSourceOptions) {}

  /** A digest; `null` for an account that was deleted; `undefined` where nothing has changed. */
  async find(name: string): Promise<string | null | undefined> {
    return this.ask(async (rows) => (await rows.findOneBy({ name }))?.password);
  }

  async set(name: string, password: string | null): Promise<void> {
    await this.ask((rows) => rows.upsert({ name, password }, ['name']));
  }

  async onApplicationShutdown(): Promise<void> {
    const source = await this.opened?.catch(() => undefined);
    await source?.destroy();
  }

  /** @throws AuthUnavailableException `storage_unavailable`: a 503 that can be tried again. */
  private async ask<T>(what: (rows: Repository<PasswordRow>) => Promise<T>): Promise<T> {
    try {
      this.opened ??= this.open();
      return await what((await this.opened).getRepository(PASSWORDS));
    } catch (cause) {
      throw new AuthUnavailableException('storage_unavailable', 'The accounts cannot be reached.', {
        cause,
      });
    }
  }

  private async open(): Promise<DataSource> {
    try {
      const source = await new DataSource({ ...this.database, ...POOL }).initialize();
      // Two instances that create it at the same moment can collide on PostgreSQL. Then it exists.
      await source.query(CREATE).catch(() => source.query(CREATE));
      return source;
    } catch (error) {
      this.opened = undefined;
      throw error;
    }
  }
}
