import { hostname } from 'node:os';
import type { Dialect } from '../../database/dialect.js';
import { SUPPORTED_FORMAT } from '../../database/entities/revocation-event.entity.js';
import { newEventId } from '../../database/event-id.js';
import { type InstanceRow, InstanceStatements } from '../../database/instance.statements.js';
import type { Transaction } from '../../database/statement.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { RELEASE } from '../../platform/release.js';

/**
 * This instance's row in `auth_instance`: written when it registers (H4), renewed about once a minute,
 * deleted when it shuts down. `nestjs-logout doctor`, `status` and `lower-bound` read it; no decision
 * about a token rests on it.
 */
export class InstancePresence {
  /** `host:pid`. */
  readonly label = `${hostname()}:${process.pid}`;
  private readonly id: string;
  private readonly statements: InstanceStatements;
  private row: InstanceRow | undefined;

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

  /** In the transaction that raises the bounds. */
  *register(maxStaleness: number, maxTokenLife: number, issuer: string): Transaction<void> {
    this.row = {
      id: this.id,
      label: this.label,
      issuer,
      maxStaleness,
      maxTokenLife,
      release: RELEASE,
      format: SUPPORTED_FORMAT,
    };
    yield* this.renew();
  }

  /** Says that it is still there; does nothing before it registered. */
  *renew(): Transaction<void> {
    if (this.row === undefined) return;
    // Who slept for a day finds that it was forgotten.
    yield this.statements.insert(this.row);
    yield this.statements.renew(this.row, this.clock.wall());
  }

  *leave(): Transaction<void> {
    this.row = undefined;
    yield this.statements.remove(this.id);
  }

  /** Deletes the rows of instances that ended without a word. */
  *forgetOthers(): Transaction<void> {
    yield this.statements.forget();
  }
}
