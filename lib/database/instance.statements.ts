import { bytesOf } from './columns.js';
import type { ColumnType, Dialect } from './dialect.js';
import { integerOf } from './log-rows.js';
import type { Row, Statement } from './statement.js';

/** A row that was not renewed for so long belongs to nobody any more (ms). */
const FORGOTTEN_AFTER = 86_400_000;

/** A running instance renews its row after 75 seconds at most (ms). */
const RENEWED_WITHIN = 90_000;

/** What an instance says of itself, for those who operate several. */
export interface InstanceRow {
  /** 16 random bytes as hex digits; another one at each start. */
  readonly id: string;
  /** `host:pid`, as it stands beside the bounds in the head. */
  readonly label: string;
  readonly issuer: string;
  /** Milliseconds. */
  readonly maxStaleness: number;
  /** Milliseconds. */
  readonly maxTokenLife: number;
  /** The version of this package. */
  readonly release: string;
  /** The newest format of the log that it understands. */
  readonly format: number;
}

/** A row as it is read: with the time since it was written, by the database's clock. */
export interface SeenInstance extends InstanceRow {
  /** Milliseconds since it was last renewed. */
  readonly seenAgo: number;
  /** By how much the host's clock was ahead of the database's at that time (ms); negative: behind. */
  readonly clockAhead: number;
}

const COLUMNS: readonly ColumnType[] = [
  ['instance_id', 'bytes'],
  ['label', 'text'],
  ['issuer', 'text'],
  ['max_staleness', 'bigint'],
  ['max_token_life', 'bigint'],
  ['release_name', 'text'],
  ['format', 'bigint'],
  ['seen_at', 'bigint'],
  ['clock_ahead', 'bigint'],
];

/** The statements about who follows this log; nothing that decides about a token reads them. */
export class InstanceStatements {
  private readonly instance: string;

  constructor(private readonly dialect: Dialect) {
    this.instance = dialect.table('auth_instance');
  }

  /** With no time yet: {@link renew} in the same transaction writes the database's. */
  insert(row: InstanceRow): Statement {
    return this.dialect.insertMissing('auth_instance', COLUMNS, [
      [
        bytesOf(row.id),
        row.label,
        row.issuer,
        row.maxStaleness,
        row.maxTokenLife,
        row.release,
        row.format,
        0,
        0,
      ],
    ]);
  }

  /** @param wall - What the host takes the time to be (epoch ms), to be compared with the database's. */
  renew({ id, maxStaleness, maxTokenLife }: InstanceRow, wall: number): Statement {
    const { now } = this.dialect;
    return this.dialect.statement(
      `UPDATE ${this.instance} SET max_staleness = ?, max_token_life = ?, seen_at = ${now}, ` +
        `clock_ahead = ? - ${now} WHERE instance_id = ?`,
      [maxStaleness, maxTokenLife, wall, bytesOf(id)],
    );
  }

  remove(id: string): Statement {
    return this.dialect.statement(`DELETE FROM ${this.instance} WHERE instance_id = ?`, [
      bytesOf(id),
    ]);
  }

  /** Those that were not seen for a day: they ended without a word. */
  forget(): Statement {
    return this.dialect.statement(
      `DELETE FROM ${this.instance} WHERE seen_at < ${this.dialect.now} - ${FORGOTTEN_AFTER}`,
      [],
    );
  }

  /** How many have renewed their row lately; one row `{ running }`. */
  countRunning(): Statement {
    const { text, now } = this.dialect;
    return this.dialect.statement(
      `SELECT ${text('COUNT(*)')} AS running FROM ${this.instance} ` +
        `WHERE seen_at BETWEEN ${now} - ${RENEWED_WITHIN} AND ${now} + ${RENEWED_WITHIN}`,
      [],
    );
  }

  list(): Statement {
    const { text, hex, now } = this.dialect;
    const columns = [
      `${hex('instance_id')} AS instance_id`,
      'label',
      'issuer',
      'release_name',
      ...['max_staleness', 'max_token_life', 'format', 'clock_ahead'].map(
        (name) => `${text(name)} AS ${name}`,
      ),
      `${text(`${now} - seen_at`)} AS seen_ago`,
    ];
    return this.dialect.statement(
      `SELECT ${columns.join(', ')} FROM ${this.instance} i ORDER BY i.label, i.instance_id`,
      [],
    );
  }
}

/** A row of {@link InstanceStatements.list}. */
export function instanceOf(row: Row): SeenInstance {
  return {
    id: row['instance_id'] ?? '',
    label: row['label'] ?? '',
    issuer: row['issuer'] ?? '',
    maxStaleness: integerOf(row['max_staleness']),
    maxTokenLife: integerOf(row['max_token_life']),
    release: row['release_name'] ?? '',
    format: integerOf(row['format']),
    seenAgo: integerOf(row['seen_ago']),
    clockAhead: integerOf(row['clock_ahead']),
  };
}
