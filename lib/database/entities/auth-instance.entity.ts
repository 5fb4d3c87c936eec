import { Bytes, Position, Table, Text } from './table.js';

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
