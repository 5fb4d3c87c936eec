import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { type AuthException, refusal } from '../../errors/auth.exception.js';
import { AuthEvents } from '../../events/auth-events.service.js';
import { DATE_FORMS, type Duration, timeOf } from '../../options/duration.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../../options/resolved-auth-options.js';
import { parseStaleFor, UNBOUNDED } from '../../options/operation-settings.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { isActor } from '../../platform/identifier.js';
import { logText } from '../../platform/log-text.js';
import { ProofClock } from './proof-clock.js';

/** No override lasts longer than this (ms): whoever needs more looks again. */
const LONGEST = 86_400_000;

/** The options of {@link RevocationService.override}. @publicApi */
export interface StalenessOverride {
  /** Seconds, `'10m'` or `'open'`; more than `maxStaleness`, at most the option `overrideCeiling`. */
  readonly staleFor: Duration | 'open';
  /** When it ends by itself: a `Date`, or a time with its zone; at most 24 hours ahead. */
  readonly until: Date | string;
  /** Who decided it: 1 to 255 characters, for the log and the audit. */
  readonly actor: string;
}

/** The override in force, as {@link RevocationStatus} shows it. @publicApi */
export interface OverrideStatus {
  /** Seconds; Infinity (`null` in JSON) for `'open'`. */
  readonly staleFor: number;
  readonly until: Date;
  readonly actor: string;
}

interface Running {
  readonly upTo: number;
  readonly until: number;
  /** The same end on the monotonic clock: a wall clock that is set back must not prolong it. */
  readonly endsAt: number;
  readonly actor: string;
  readonly cancel: CancelSchedule;
}

/** What an operator loosens at run time, on this instance alone, without the database. */
@Injectable()
export class StalenessOverrides implements OnApplicationShutdown {
  private readonly logger = new Logger('RevocationService');
  private running: Running | undefined;

  constructor(
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly events: AuthEvents,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /** Up to how much staleness (ms) it accepts now; 0 while there is none. */
  get upTo(): number {
    return this.current()?.upTo ?? 0;
  }

  get status(): OverrideStatus | null {
    const running = this.current();
    if (running === undefined) return null;
    const { upTo, until, actor } = running;
    const staleFor = upTo >= UNBOUNDED ? Infinity : upTo / 1000;
    return { staleFor, until: new Date(until), actor };
  }

  /** See {@link RevocationService.override}. */
  begin({ staleFor, until, actor }: StalenessOverride): void {
    const upTo = this.allowed(staleFor);
    const now = this.proofs.now();
    const end = timeOf(until);
    if (Number.isNaN(end)) throw refused(DATE_FORMS);
    if (end <= now || end - now > LONGEST) {
      throw refused('Give an end in the future, at most 24 hours ahead.');
    }
    if (!isActor(actor)) throw refused('Name an actor, in 1 to 255 characters.');
    this.running?.cancel();
    this.running = {
      upTo,
      until: end,
      endsAt: this.clock.monotonic() + (end - now),
      actor,
      // Only to say so: whether it is over is asked at each decision.
      cancel: this.clock.schedule(end - now, () => this.finish('expired', actor)),
    };
    const bound = upTo >= UNBOUNDED ? 'without a bound' : `for ${upTo / 1000} s`;
    this.logger.warn(
      `${logText(actor, 255)} lets this instance accept ${bound} without a proof, until ${new Date(end).toISOString()}.`,
    );
    this.events.tell({ type: 'staleness_override', reason: 'begun', actor });
  }

  /** See {@link RevocationService.endOverride}. */
  end(actor: string): void {
    if (!isActor(actor)) throw refused('Name an actor, in 1 to 255 characters.');
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
        'This process does not follow the log (follow: false): it accepts nothing, and nothing can be overridden.',
      );
    }
    if (overrideCeiling === undefined) {
      throw new AuthWiringError(
        'There is no override without a ceiling: no receipt allows for more staleness than was registered at boot.',
        "Set the option overrideCeiling ('10m', or 'open') and start again.",
      );
    }
    const upTo = staleFor === 'open' ? UNBOUNDED : parseStaleFor(staleFor, maxStaleness);
    if (typeof upTo !== 'number') throw refused(upTo.fix);
    if (upTo <= overrideCeiling) return upTo;
    throw new AuthWiringError(
      `The override asks for more than overrideCeiling (${overrideCeiling / 1000} s), which is what receipts allow for.`,
      'Ask for less, or raise the option overrideCeiling and start again.',
    );
  }

  private finish(reason: 'ended' | 'expired', actor: string): void {
    this.running?.cancel();
    this.running = undefined;
    this.logger.warn(
      reason === 'ended'
        ? `${actor} ended the override; requests are decided by their own policy again.`
        : `The override of ${actor} has run out; requests are decided by their own policy again.`,
    );
    this.events.tell({ type: 'staleness_override', reason, actor });
  }
}

function refused(fix: string): AuthException {
  return refusal('invalid_request', { message: `Nothing was overridden: ${fix}` });
}
