import { AuthInstance } from './entities/auth-instance.entity.js';
import { integerOf, reader } from './entities/table.js';
import { Statements } from './statement-repository.js';
import type { Row, Statement } from './statement.js';

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

/** The statements about the instances that follow this log; no decision about a token reads them. */
export class InstanceStatements extends Statements {
  private readonly instances = this.table(AuthInstance);
  private readonly insertRow = this.instances.insertMissing();
  private readonly update = this.instances.update(
    ['id'],
    [
      'maxStaleness',
      'maxTokenLife',
      `seenAt = ${this.dialect.now}`,
      `clockAhead = ? - ${this.dialect.now}`,
    ],
  );

  readonly remove = this.instances.delete(['id']);

  /** Those that were not seen for a day: they stopped without a shutdown. Raw: it reckons with the database's time. */
  readonly forget = this.prepare<[]>(
    `DELETE FROM ${this.instances.table} WHERE seen_at < ${this.dialect.now} - ${FORGOTTEN_AFTER}`,
  );

  /** How many have renewed their row lately; one row `{ running }`. Raw: it counts. */
  readonly countRunning = this.prepare<[]>(
    `SELECT ${this.dialect.text('COUNT(*)')} AS running FROM ${this.instances.table} ` +
      `WHERE seen_at BETWEEN ${this.dialect.now} - ${RENEWED_WITHIN} AND ${this.dialect.now} + ${RENEWED_WITHIN}`,
  );

  /** Raw: it reckons with the database's time. */
  readonly list = this.prepare<[]>(
    `SELECT ${this.instances.select('i', SEEN)}, ` +
      `${this.dialect.text(`${this.dialect.now} - i.seen_at`)} AS seen_ago ` +
      `FROM ${this.instances.table} i ORDER BY i.label, i.instance_id`,
  );

  /** With no time yet: {@link renew} in the same transaction writes the database's. */
  insert(row: InstanceRow): Statement {
    return this.insertRow({ ...row, seenAt: 0, clockAhead: 0 });
  }

  /** @param wall - What the host takes the time to be (epoch ms), to be compared with the database's. */
  renew({ id, maxStaleness, maxTokenLife }: InstanceRow, wall: number): Statement {
    return this.update(id, { maxStaleness, maxTokenLife, clockAhead: wall });
  }
}

const readSeen = reader(AuthInstance, SEEN);

/** A row of {@link InstanceStatements.list}. */
export function instanceOf(row: Row): SeenInstance {
  return { ...readSeen(row), seenAgo: integerOf(row['seen_ago']) };
}
