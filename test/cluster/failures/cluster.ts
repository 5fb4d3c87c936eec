import { jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

/** An instance with its own network between it and the database. */
export interface Networked {
  readonly instance: Instance;
  readonly network: TcpProxy;
}

/** What one test starts, on its own database, and stops. */
export class Cluster {
  private readonly instances: Instance[] = [];
  private readonly networks: TcpProxy[] = [];

  private constructor(readonly database: TestDatabase) {}

  static async start(): Promise<Cluster> {
    return new Cluster(await postgres.migrated());
  }

  /** An instance whose clock does not move until the test moves it. */
  async instance(settings: InstanceSettings = {}): Promise<Instance> {
    return this.keep(await startInstance(this.database, { clock: new TestClock(), ...settings }));
  }

  /** The same behind a network that can be cut, frozen and watched. */
  async networked(settings: InstanceSettings = {}): Promise<Networked> {
    const { network, through } = await this.network();
    const instance = await startInstance(through, { clock: new TestClock(), ...settings });
    return { instance: this.keep(instance), network };
  }

  /** A network before the database. */
  async network(): Promise<{ network: TcpProxy; through: TestDatabase }> {
    const { proxy, through } = await TcpProxy.before(this.database);
    this.networks.push(proxy);
    return { network: proxy, through };
  }

  /** Closed with the others, whatever becomes of the test. */
  keep(instance: Instance): Instance {
    this.instances.push(instance);
    return instance;
  }

  /** Stops everything, including processes of the quick-start. */
  async close(): Promise<void> {
    jest.restoreAllMocks();
    for (const network of this.networks) {
      network.thaw();
      network.admit();
    }
    await Promise.all(this.instances.map((instance) => instance.close()));
    await QuickstartProcess.stopAll();
    await Promise.all(this.networks.map((network) => network.close()));
    await this.database.drop();
  }
}
