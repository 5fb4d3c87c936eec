import { AuthInstance } from './entities/auth-log.entity.js';
import { integerOf, reader } from './entities/table.js';
import { Statements } from './statement-repository.js';
import type { Row } from './statement.js';

/** A row that was not renewed for this long is deleted (ms): its instance stopped without a shutdown. */
const FORGOTTEN_AFTER = 86_400_000;

/** An instance counts as running if it renewed its row within this time (ms). It does so every 75 s. */
const RENEWED_WITHIN = 90_000;

/** A row with the time since it was renewed, by the database's clock. */
export interface SeenInstance extends AuthInstance {
  /** Milliseconds since it was last renewed. */
  readonly seenAgo: number;
}

/** The statements about the instances that follow this log. No decision about a token reads them. */
export class InstanceStatements extends Statements {
  private readonly instances = this.table(AuthInstance);

  /** Inserts the row without a time. {@link renew} in the same transaction writes the database's time. */
  readonly insert = this.instances.insertMissing();

  /** Renews the row. `clockAhead` gets the host's time (epoch ms); the database subtracts its own. */
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

  /** Deletes old rows. Raw SQL, because it calculates with the database's time. */
  readonly forget = this.prepare<[]>(
    `DELETE FROM ${this.instances.table} WHERE seen_at < ${this.dialect.now} - ${FORGOTTEN_AFTER}`,
  );

  /** Counts the running instances, as one row `{ running }` (H3). Raw SQL, because it counts. */
  readonly countRunning = this.prepare<[]>(
    `SELECT ${this.dialect.text('COUNT(*)')} AS running FROM ${this.instances.table} ` +
      `WHERE seen_at BETWEEN ${this.dialect.now} - ${RENEWED_WITHIN} AND ${this.dialect.now} + ${RENEWED_WITHIN}`,
  );

  /** Lists all instances. Raw SQL, because it calculates with the database's time. */
  readonly list = this.prepare<[]>(
    `SELECT ${this.instances.select('i')}, ` +
      `${this.dialect.text(`${this.dialect.now} - i.seen_at`)} AS seen_ago ` +
      `FROM ${this.instances.table} i ORDER BY i.label, i.instance_id`,
  );
}

const readInstance = reader(AuthInstance);

/** Reads a row of {@link InstanceStatements.list}. */
export function instanceOf(row: Row): SeenInstance {
  return { ...readInstance(row), seenAgo: integerOf(row['seen_ago']) };
}
