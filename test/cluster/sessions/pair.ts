import type { AuthSettings } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import type { DatabaseKind, TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';

/** Two instances that follow each other on their own database, with one clock. */
export class Pair {
  readonly clock = new TestClock();
  here!: Instance;
  there!: Instance;

  private constructor(
    private readonly database: TestDatabase,
    private readonly options: Partial<AuthSettings>,
  ) {}

  static async start(kind: DatabaseKind, options: Partial<AuthSettings> = {}): Promise<Pair> {
    const pair = new Pair(await kind.migrated(), options);
    await pair.startInstances();
    return pair;
  }

  /** Stops both, and starts them with further options. */
  async restart(options: Partial<AuthSettings> = {}): Promise<void> {
    await this.stop();
    await this.startInstances(options);
  }

  /** Closes both, and drops their database. */
  async end(): Promise<void> {
    await this.stop();
    await this.database.drop();
  }

  private async startInstances(options: Partial<AuthSettings> = {}): Promise<void> {
    const settings = { clock: this.clock, options: { ...this.options, ...options } };
    this.here = await startInstance(this.database, settings);
    this.there = await startInstance(this.database, settings);
  }

  private async stop(): Promise<void> {
    await this.here?.close();
    await this.there?.close();
  }
}
