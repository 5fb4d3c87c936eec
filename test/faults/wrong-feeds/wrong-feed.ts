import type { DataSource } from 'typeorm';
import type { Promised } from '../history/violation.js';
import type { SimulatedCluster } from './simulated-cluster.js';

/** A feed that one might write first, and the order of things that shows what it loses. */
export interface WrongFeed {
  readonly name: string;
  /** Why it loses. */
  readonly why: string;
  /** The promise that the history must show broken. */
  readonly breaks: Promised;
  /** Plays the order of things on an empty database; whatever it opens, it closes. */
  readonly play: (cluster: SimulatedCluster, database: WrongFeedDatabase) => Promise<void>;
}

/** An empty PostgreSQL database. */
export interface WrongFeedDatabase {
  readonly url: string;
  readonly dataSource: DataSource;
}
