import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { type AuthException, refusal } from '../../errors/auth.exception.js';
import { AuthEvents } from '../../events/auth-events.service.js';
import { DATE_FORMS, type Duration, timeOf } from '../../options/duration.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { parseStaleFor, UNBOUNDED } from '../../options/operation-settings.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { isActor } from '../../platform/identifier.js';
import { logText } from '../../platform/log-text.js';
import { ProofClock, secondsOf, toleranceText } from './proof-clock.js';

/** No override lasts longer than this (ms): after a day an operator has to decide again. */
const LONGEST = 86_400_000;

/** The options of {@link RevocationService.override}. @publicApi */
export interface StalenessOverride {
  /** Seconds, `'10m'` or `'open'`; more than `maxStaleness`, at most the option `overrideCeiling`. */
  readonly staleFor: Duration | 'open';
  /** When it expires: a `Date`, or a time with its zone; at most 24 hours ahead. */
  readonly until: Date | string;
  /** Who decided it: 1 to 255 characters, for the log and the audit. */
  readonly actor: string;
}

/** The override in effect, in {@link RevocationStatus}. @publicApi */
export interface OverrideStatus {
  /** Seconds; Infinity (`null` in JSON) for `'open'`. */
  readonly staleFor: number;
  readonly until: Date;
  readonly actor: string;
}

interface Running {
  readonly upTo: number;
  readonly until: number;
  /**
   * The same end on the monotonic clock, because a wall clock that is set back must not extend the
   * override.
   */
  readonly endsAt: number;
  readonly actor: string;
  readonly cancel: CancelSchedule;
}

/**
 * Lets an operator raise the accepted staleness of this instance at run time, without a deploy. It
 * works while the database is down, so it is kept in memory only and a restart ends it.
 */
@Injectable()
export class StalenessOverrides implements OnApplicationShutdown {
  private readonly logger = new Logger('RevocationService');
  private running: Running | undefined;

  constructor(
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly events: AuthEvents,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /** How much staleness (ms) the override accepts now; 0 without one. */
  get upTo(): number {
    return this.current()?.upTo ?? 0;
  }

  get status(): OverrideStatus | null {
    const running = this.current();
    if (running === undefined) return null;
    const { upTo, until, actor } = running;
    return { staleFor: secondsOf(upTo), until: new Date(until), actor };
  }

  /** See {@link RevocationService.override}. */
  begin({ staleFor, until, actor }: StalenessOverride): void {
    const upTo = this.allowed(staleFor);
    const now = this.proofs.now();
    const end = timeOf(until);
    if (Number.isNaN(end)) throw refused(DATE_FORMS);
    if (end <= now || end - now > LONGEST) {
      throw refused('Use an end in the future, at most 24 hours ahead.');
    }
    if (!isActor(actor)) throw refused('Pass an actor of 1 to 255 characters.');
    this.running?.cancel();
    this.running = {
      upTo,
      until: end,
      endsAt: this.clock.monotonic() + (end - now),
      actor,
      // The timer only writes the log line and the event. Each decision compares the time itself,
      // because timers can be late.
      cancel: this.clock.schedule(end - now, () => this.finish('expired', actor)),
    };
    this.logger.warn(
      `${logText(actor, 255)} allows this instance to accept tokens ${toleranceText(upTo)} without a proof, until ${new Date(end).toISOString()}.`,
    );
    this.events.tell({ type: 'staleness_override', reason: 'begun', actor });
  }

  /** See {@link RevocationService.endOverride}. */
  end(actor: string): void {
    if (!isActor(actor)) throw refused('Pass an actor of 1 to 255 characters.');
    if (this.current() !== undefined) this.finish('ended', actor);
  }

  onApplicationShutdown(): void {
    this.running?.cancel();
    this.running = undefined;
  }

  private current(): Running | undefined {
    const { running } = this;
    if (running === undefined) return undefined;
    const isOver = this.proofs.now() >= running.until || this.clock.monotonic() >= running.endsAt;
    return isOver ? undefined : running;
  }

  private allowed(staleFor: unknown): number {
    const { follow, overrideCeiling, maxStaleness } = this.options;
    if (!follow) {
      throw new AuthWiringError(
        'This process does not follow the log (follow: false): it accepts no token, so there is nothing to override.',
      );
    }
    if (overrideCeiling === undefined) {
      throw new AuthWiringError(
        'An override needs the option overrideCeiling, because receipts include only the staleness that was registered at boot.',
        "Set overrideCeiling ('10m', or 'open') and restart.",
      );
    }
    const upTo = staleFor === 'open' ? UNBOUNDED : parseStaleFor(staleFor, maxStaleness);
    if (typeof upTo !== 'number') throw refused(upTo.fix);
    if (upTo <= overrideCeiling) return upTo;
    throw new AuthWiringError(
      `The override asks for more than overrideCeiling (${overrideCeiling / 1000} s), the most that receipts include.`,
      'Use a smaller staleFor, or raise overrideCeiling and restart.',
    );
  }

  private finish(reason: 'ended' | 'expired', actor: string): void {
    this.running?.cancel();
    this.running = undefined;
    const name = logText(actor, 255);
    this.logger.warn(
      reason === 'ended'
        ? `${name} ended the override; the configured failure policies apply again.`
        : `The override of ${name} has expired; the configured failure policies apply again.`,
    );
    this.events.tell({ type: 'staleness_override', reason, actor });
  }
}

function refused(fix: string): AuthException {
  return refusal('invalid_request', { message: `Nothing was overridden: ${fix}` });
}
