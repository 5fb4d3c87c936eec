import { Bytes, Flag, Position, Table, Text } from './table.js';

/** The identity of the log: one row, written once and never updated. */
@Table('auth_log', ['SELECT'])
export class AuthLog {
  /** Always 1: there is one row. */
  @Flag({ key: true }) readonly id!: true;
  @Text() readonly logId!: string;
  @Position() readonly createdAt!: number;
}

/** The head of the log: one row. Its lock puts all events in one order (W1). */
@Table('auth_head', ['SELECT', 'UPDATE'])
export class AuthHead {
  /** Always 1: there is one row. */
  @Flag({ key: true }) readonly id!: true;
  /** The position of the last event; 0 while the log is empty. */
  @Position({ as: 'head_position' }) readonly position!: number;
  /** The id of the last event; `null` while the log is empty. */
  @Bytes({ nullable: true }) readonly lastEventId!: string | null;
  /** Events up to this position may be deleted. Above it there are no gaps. */
  @Position() readonly purgedThrough!: number;
  /** The identity of the server that wrote it last (H2); `null` if the server has none. */
  @Text({ nullable: true }) readonly server!: string | null;
  /** The format of the log. A release that does not know it must not read the log (H5). */
  @Position() readonly format!: number;
  /** The widest staleness that any instance has registered (ms, H4). */
  @Position() readonly maxStaleness!: number;
  /** The instance that registered it, as `host:pid`. */
  @Text({ nullable: true }) readonly maxStalenessBy!: string | null;
  /** The longest token lifetime that any instance has registered (ms, H4). */
  @Position() readonly maxTokenLife!: number;
  /** The instance that registered it, as `host:pid`. */
  @Text({ nullable: true }) readonly maxTokenLifeBy!: string | null;
  /** Until when one instance has claimed the purge (epoch ms; X2). */
  @Position() readonly purgeClaimedUntil!: number;
}

/** What a running instance reports about itself, for operators. No decision about a token reads it. */
@Table('auth_instance', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class AuthInstance {
  /** 16 random bytes as hexadecimal digits, new at each start. */
  @Bytes({ name: 'instance_id', key: true }) readonly id!: string;
  /** `host:pid`, the same as in `maxStalenessBy` and `maxTokenLifeBy` of the head. */
  @Text() readonly label!: string;
  @Text() readonly issuer!: string;
  /** Milliseconds. */
  @Position() readonly maxStaleness!: number;
  /** Milliseconds. */
  @Position() readonly maxTokenLife!: number;
  /** The version of this package. */
  @Text({ name: 'release_name' }) readonly release!: string;
  /** The newest format of the log that it understands. */
  @Position() readonly format!: number;
  /** When it last renewed its row (epoch ms, the database's time). */
  @Position() readonly seenAt!: number;
  /** How far the host's clock was ahead of the database's at that time (ms; negative: behind). */
  @Position() readonly clockAhead!: number;
}
