import { hostname } from 'node:os';
import type { Dialect } from '../../database/dialect.js';
import { SUPPORTED_FORMAT } from '../../database/entities/revocation-event.entity.js';
import type { AuthInstance } from '../../database/entities/auth-log.entity.js';
import { InstanceStatements } from '../../database/instance.statements.js';
import type { Via } from '../../database/log-database.js';
import type { Transaction } from '../../database/statement.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { RELEASE } from '../../platform/release.js';
import { newEventId } from './event-draft.js';
import { jump } from './log-history.js';
import type { OpenLog } from './open-log.js';

/** `host:pid`, by which operators recognise this instance. */
export const INSTANCE_LABEL = `${hostname()}:${process.pid}`;

/** What an instance registers before it serves (H4), in milliseconds. */
type RegisteredBounds = Pick<AuthInstance, 'maxStaleness' | 'maxTokenLife' | 'issuer'>;

/**
 * This instance's row in `auth_instance`: inserted when it registers, renewed about once a minute (a
 * heartbeat), deleted at shutdown. `nestjs-logout doctor`, `status` and `lower-bound` read it. No
 * decision about a token depends on it.
 */
export class InstancePresence {
  private readonly id: string;
  private readonly statements: InstanceStatements;
  private row: AuthInstance | undefined;

  constructor(
    dialect: Dialect,
    private readonly clock: AuthClock,
  ) {
    this.id = newEventId(clock.wall());
    this.statements = new InstanceStatements(dialect);
  }

  /** Whether this instance may have a row. */
  get isRegistered(): boolean {
    return this.row !== undefined;
  }

  /** Inserts the row, in the transaction that raises the bounds. */
  *register(bounds: RegisteredBounds): Transaction<void> {
    this.row = {
      id: this.id,
      label: INSTANCE_LABEL,
      ...bounds,
      release: RELEASE,
      format: SUPPORTED_FORMAT,
      seenAt: 0,
      clockAhead: 0,
    };
    yield* this.renew();
  }

  /** Renews the heartbeat. It does nothing before the instance is registered. */
  *renew(): Transaction<void> {
    const { row, statements } = this;
    if (row === undefined) return;
    // While this host slept, another instance may have deleted the row as stale, so it is inserted
    // again first.
    yield statements.insert(row);
    yield statements.renew(row.id, { ...row, clockAhead: this.clock.wall() });
  }

  *leave(): Transaction<void> {
    this.row = undefined;
    yield this.statements.remove(this.id);
  }

  /** Deletes the rows of instances that stopped without a shutdown. */
  *forgetOthers(): Transaction<void> {
    yield this.statements.forget();
  }
}

/**
 * Registers in the head how stale this instance may become and how long its tokens are valid (H4).
 * Receipts and retention of all instances include both from then on.
 *
 * @param via - `feed`: on the connection of the feed, between two polls. `pool`: at the same time
 * as a poll.
 */
export async function registerInstance(
  log: OpenLog,
  bounds: RegisteredBounds,
  via: Via = 'pool',
): Promise<void> {
  // A running row vouches for the log. If this log may be an old copy, it must jump before the row
  // exists, or other instances would trust the copy (H3).
  if (log.history.isUnknown) await jump(log, via);
  const { database, instance, statements, transactions } = log;
  const { maxStaleness, maxTokenLife } = bounds;
  const by = INSTANCE_LABEL;
  const write = function* (): Transaction<void> {
    yield* transactions.lockHead();
    yield statements.raiseStaleness(maxStaleness, { maxStaleness, maxStalenessBy: by });
    yield statements.raiseTokenLife(maxTokenLife, { maxTokenLife, maxTokenLifeBy: by });
    yield* instance.register(bounds);
  };
  await database.transaction(write, via);
}
