import type { Dialect } from './dialect.js';
import { AuthInstance } from './entities/auth-instance.entity.js';
import { integerOf, reader } from './entities/table.js';
import { Expression, StatementRepository } from './statement-repository.js';
import { type Row, type Statement } from './statement.js';

/** After so long without renewal a row belongs to no running instance (ms). */
const FORGOTTEN_AFTER = 86_400_000;

/** A running instance renews its row after 75 seconds at most (ms). */
const RENEWED_WITHIN = 90_000;

/** What an instance writes of itself. */
export type InstanceRow = Omit<AuthInstance, 'seenAt' | 'clockAhead'>;

/** A row as it is read: with the time since it was written, by the database's clock. */
export interface SeenInstance extends InstanceRow {
  /** Milliseconds since it was last renewed. */
  readonly seenAgo: number;
  readonly clockAhead: number;
}

/** The statements about who follows this log; nothing that decides about a token reads them. */
export class InstanceStatements {
  private readonly instances: StatementRepository<AuthInstance>;

  constructor(private readonly dialect: Dialect) {
    this.instances = new StatementRepository(dialect, AuthInstance);
  }

  /** With no time yet: {@link renew} in the same transaction writes the database's. */
  insert(row: InstanceRow): Statement {
    return this.instances.insertMissing([{ ...row, seenAt: 0, clockAhead: 0 }]);
  }

  /** @param wall - What the host takes the time to be (epoch ms), to be compared with the database's. */
  renew({ id, maxStaleness, maxTokenLife }: InstanceRow, wall: number): Statement {
    const { now } = this.dialect;
    return this.instances.update(
      { id },
      {
        maxStaleness,
        maxTokenLife,
        seenAt: new Expression(now),
        clockAhead: new Expression(`? - ${now}`, [wall]),
      },
    );
  }

  remove(id: string): Statement {
    return this.instances.delete({ id });
  }

  /** Those that were not seen for a day: they ended without a word. */
  forget(): Statement {
    return this.dialect.statement(
      `DELETE FROM ${this.instances.table} WHERE seen_at < ${this.dialect.now} - ${FORGOTTEN_AFTER}`,
      [],
    );
  }

  /** How many have renewed their row lately; one row `{ running }`. */
  countRunning(): Statement {
    const { text, now } = this.dialect;
    return this.dialect.statement(
      `SELECT ${text('COUNT(*)')} AS running FROM ${this.instances.table} ` +
        `WHERE seen_at BETWEEN ${now} - ${RENEWED_WITHIN} AND ${now} + ${RENEWED_WITHIN}`,
      [],
    );
  }

  list(): Statement {
    const ago = this.dialect.text(`${this.dialect.now} - i.seen_at`);
    return this.dialect.statement(
      `SELECT ${this.instances.select('i', SEEN)}, ${ago} AS seen_ago FROM ${this.instances.table} i ` +
        `ORDER BY i.label, i.instance_id`,
      [],
    );
  }
}

const SEEN = [
  'id',
  'label',
  'issuer',
  'release',
  'maxStaleness',
  'maxTokenLife',
  'format',
  'clockAhead',
] as const satisfies readonly (keyof AuthInstance)[];
const readSeen = reader(AuthInstance, SEEN);

/** A row of {@link InstanceStatements.list}. */
export function instanceOf(row: Row): SeenInstance {
  return { ...readSeen(row), seenAgo: integerOf(row['seen_ago']) };
}
