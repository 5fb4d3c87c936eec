import { Inject, Injectable, Logger } from '@nestjs/common';
import { AuthClock } from '../platform/auth-clock.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { RepeatedWarning } from '../platform/repeated-warning.js';
import type { TokenIdentity } from '../database/revocation-event.js';
import { RevocationFeed } from './feed/revocation-feed.service.js';
import { codeOf } from './revocation.exceptions.js';
import { LENIENT, type Verdict } from './verdict.js';

/** Tells of every verdict but the plain good one, and lets pass while revocations are only observed. */
@Injectable()
export class VerdictReporter {
  private readonly staleWarning: RepeatedWarning;
  private readonly observeWarning: RepeatedWarning;

  constructor(
    private readonly feed: RevocationFeed,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
    const logger = new Logger('RevocationService');
    const warn = (message: string): void => logger.warn(message);
    this.staleWarning = new RepeatedWarning(clock, warn);
    this.observeWarning = new RepeatedWarning(clock, warn);
  }

  /** Until when revocations are only observed (epoch ms); `undefined` when they are enforced. */
  get observingUntil(): number | undefined {
    return this.isObserving() ? this.options.observeUntil : undefined;
  }

  /** The verdict that leaves this room. */
  pronounce(verdict: Verdict, { sub: subject, sid: sessionId }: TokenIdentity): Verdict {
    if (verdict.state === 'active') {
      const { leniency: reason } = verdict;
      if (reason === undefined) return verdict;
      const age = Math.round(this.feed.staleness / 1000);
      this.staleWarning.say(`A request was accepted by a proof ${age} s old (${reason}).`);
      this.meter.count('staleAccepted', reason);
      this.events.tell({ type: 'accepted_stale', subject, sessionId, reason });
      return verdict;
    }
    if (this.isObserving()) {
      const reason = codeOf(verdict);
      this.observeWarning.say(
        `A request was let pass that will be refused with ${reason} (observe).`,
      );
      this.meter.count('staleAccepted', 'observe');
      this.events.tell({ type: 'observed', subject, sessionId, reason });
      return LENIENT.observe;
    }
    if (verdict.state === 'unknown') {
      const type = 'revocation_state_unknown';
      this.events.tell({ type, subject, sessionId, reason: type });
    }
    return verdict;
  }

  /** Not before the first load: until then nobody's receipt knows of it. */
  private isObserving(): boolean {
    const { observeUntil } = this.options;
    return observeUntil !== undefined && this.feed.ready && this.feed.now() < observeUntil;
  }
}
