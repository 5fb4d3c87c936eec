import type { DataSource } from 'typeorm';
import type { Promised } from '../history/violation.js';
import type { SimulatedCluster } from './simulated-cluster.js';

/** A feed that one might write first, and the interleaving that shows which events it loses. */
export interface WrongFeed {
  readonly name: string;
  /** Why it loses events. */
  readonly why: string;
  /** The promise that the history must show broken. */
  readonly breaks: Promised;
  /** Runs the interleaving on an empty database, and closes whatever it opens. */
  readonly play: (cluster: SimulatedCluster, database: WrongFeedDatabase) => Promise<void>;
}

/** An empty PostgreSQL database. */
export interface WrongFeedDatabase {
  readonly url: string;
  readonly dataSource: DataSource;
}
