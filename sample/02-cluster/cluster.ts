import { NotFoundException } from '@nestjs/common';
import { DatabaseLine } from './database-line.js';
import { Instance } from './instance.js';
import type { KeeperProcess } from './keeper-process.js';

const NAMES = ['A', 'B', 'C'] as const;

/** The three instances on the one database. */
export class Cluster {
  constructor(
    readonly instances: readonly Instance[],
    /** Within this time of a logout's answer no instance accepts the token any more (ms). */
    readonly maxStaleness: number,
    readonly hint: string,
  ) {}

  /** Starts all of them at once, each with its own connection to the database. */
  static async start(
    databaseUrl: string,
    keeper: KeeperProcess,
    settings: {
      readonly environment: Readonly<Record<string, string>>;
      readonly maxStaleness: number;
      readonly hint: string;
    },
  ): Promise<Cluster> {
    const instances = await Promise.all(
      NAMES.map(async (name) => {
        const line = await DatabaseLine.to(databaseUrl);
        return new Instance(name, line, settings.environment, keeper);
      }),
    );
    await Promise.all(instances.map((instance) => instance.start()));
    return new Cluster(instances, settings.maxStaleness, settings.hint);
  }

  /** @throws NotFoundException for a name that no instance has. */
  find(name: string): Instance {
    const instance = this.instances.find((each) => each.name === name);
    if (instance !== undefined) return instance;
    throw new NotFoundException(
      `There is no instance with this name; the names are ${NAMES.join(', ')}.`,
    );
  }

  others(than: Instance): Instance[] {
    return this.instances.filter((each) => each !== than);
  }
}
