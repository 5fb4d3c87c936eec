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

/** `host:pid`, by which operators know this instance. */
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

  /** Whether there may be a row. */
  get isRegistered(): boolean {
    return this.row !== undefined;
  }

  /** Runs in the transaction that raises the bounds. */
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

  /** The heartbeat; does nothing before the instance registered. */
  *renew(): Transaction<void> {
    const { row, statements } = this;
    if (row === undefined) return;
    // After a day of sleep another instance has deleted the row.
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
 * H4: writes into the head how stale this instance may be and how long its tokens live.
 *
 * @param via - `feed` between two polls; `pool` beside them.
 */
export async function registerInstance(
  log: OpenLog,
  bounds: RegisteredBounds,
  via: Via = 'pool',
): Promise<void> {
  // H3: before its row vouches for this log, or other instances take an old copy for a followed log.
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
