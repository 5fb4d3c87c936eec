import { AuthInstance } from './entities/auth-log.entity.js';
import { integerOf, reader } from './entities/table.js';
import { Statements } from './statement-repository.js';
import type { Row } from './statement.js';

/** After so long without renewal a row belongs to no running instance (ms). */
const FORGOTTEN_AFTER = 86_400_000;

/** A running instance renews its row after 75 seconds at most (ms). */
const RENEWED_WITHIN = 90_000;

/** A row as it is read: with the time since it was written, by the database's clock. */
export interface SeenInstance extends AuthInstance {
  /** Milliseconds since it was last renewed. */
  readonly seenAgo: number;
}

/** The statements about the instances that follow this log; no decision about a token reads them. */
export class InstanceStatements extends Statements {
  private readonly instances = this.table(AuthInstance);

  /** With no time yet: {@link renew} in the same transaction writes the database's. */
  readonly insert = this.instances.insertMissing();

  /** `clockAhead`: what the host takes the time to be (epoch ms), to be compared with the database's. */
  readonly renew = this.instances.update(
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
    `SELECT ${this.instances.select('i')}, ` +
      `${this.dialect.text(`${this.dialect.now} - i.seen_at`)} AS seen_ago ` +
      `FROM ${this.instances.table} i ORDER BY i.label, i.instance_id`,
  );
}

const readInstance = reader(AuthInstance);

/** A row of {@link InstanceStatements.list}. */
export function instanceOf(row: Row): SeenInstance {
  return { ...readInstance(row), seenAgo: integerOf(row['seen_ago']) };
}
