import { Bytes, Flag, Position, Table, Text } from './table.js';

/** The identity of the log: one row, written once. */
@Table('auth_log', ['SELECT'])
export class AuthLog {
  /** Always 1: there is one row. */
  @Flag({ key: true }) readonly id!: true;
  @Text() readonly logId!: string;
  @Position() readonly createdAt!: number;
}

/** The end of the log: one row, whose lock puts all events in one order. */
@Table('auth_head', ['SELECT', 'UPDATE'])
export class AuthHead {
  /** Always 1: there is one row. */
  @Flag({ key: true }) readonly id!: true;
  @Position({ as: 'head_position' }) readonly position!: number;
  /** `null` while the log is empty. */
  @Bytes({ nullable: true }) readonly lastEventId!: string | null;
  /** Rows at or below it may be gone; above it there are no gaps. */
  @Position() readonly purgedThrough!: number;
  /** The server on which it was last written; `null` where servers have no identity. */
  @Text({ nullable: true }) readonly server!: string | null;
  /** What readers of the log must understand. */
  @Position() readonly format!: number;
  /** The widest staleness and the longest token lifetime that any instance has registered (ms). */
  @Position() readonly maxStaleness!: number;
  @Text({ nullable: true }) readonly maxStalenessBy!: string | null;
  @Position() readonly maxTokenLife!: number;
  @Text({ nullable: true }) readonly maxTokenLifeBy!: string | null;
  /** Until when one instance has the purge to itself. */
  @Position() readonly purgeClaimedUntil!: number;
}

/** What a running instance reports of itself, for operators; nothing that decides about a token reads it. */
@Table('auth_instance', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class AuthInstance {
  /** 16 random bytes as hexadecimal digits; another one at each start. */
  @Bytes({ name: 'instance_id', key: true }) readonly id!: string;
  /** `host:pid`, as it is beside the bounds in the head. */
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
  /** By how much the host's clock was ahead of the database's then (ms); negative: behind. */
  @Position() readonly clockAhead!: number;
}
