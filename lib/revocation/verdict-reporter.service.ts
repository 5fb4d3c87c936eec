import { Injectable, Logger } from '@nestjs/common';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenIdentity } from '../options/token-claims.js';
import { AuthClock } from '../platform/auth-clock.js';
import { logText, RepeatedWarning } from '../platform/log-text.js';
import { RevocationFeed } from './feed/revocation-feed.service.js';
import { ProofClock } from './staleness/proof-clock.js';
import { codeOf, LENIENT, type Verdict } from './verdict.js';

/**
 * Reports every verdict except a plain acceptance: to the log, to {@link AuthEvents} and to the
 * metrics. While revocations are only observed (option `observe`), it turns each refusal into an
 * acceptance.
 */
@Injectable()
export class VerdictReporter {
  private readonly staleWarning: RepeatedWarning;
  private readonly observeWarning: RepeatedWarning;
  private readonly missingKids = new MissingKids();

  constructor(
    private readonly feed: RevocationFeed,
    private readonly proofs: ProofClock,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
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

  /**
   * Reports a verdict and returns the one that callers get.
   *
   * @param kid - The key of the token. `null` means that it was not passed, and that
   * `acceptWithoutKid` does not list the issuer.
   */
  pronounce(
    verdict: Verdict,
    { iss, sub: subject, sid: sessionId }: TokenIdentity,
    kid: string | null | undefined,
  ): Verdict {
    if (kid === null) this.missingKids.note(iss, verdict);
    if (verdict.state === 'active') {
      const { leniency: reason } = verdict;
      if (reason === undefined) return verdict;
      const age = Math.round(this.proofs.age() / 1000);
      this.staleWarning.say(`A request was accepted by a proof ${age} s old (${reason}).`);
      this.meter.staleAccepted[reason]++;
      this.events.tell({ type: 'accepted_stale', subject, sessionId, reason });
      return verdict;
    }
    if (this.isObserving()) {
      const reason = codeOf(verdict);
      this.observeWarning.say(`Observe mode: this request would have been refused (${reason}).`);
      this.meter.staleAccepted.observe++;
      this.events.tell({ type: 'observed', subject, sessionId, reason });
      return LENIENT.observe;
    }
    if (verdict.state === 'unknown') {
      const type = 'revocation_state_unknown';
      this.events.tell({ type, subject, sessionId, reason: type });
    }
    return verdict;
  }

  /**
   * Observing starts with the first load. Before that this instance has not registered its bound,
   * so no receipt includes what it would accept.
   */
  private isObserving(): boolean {
    const { observeUntil } = this.options;
    return observeUntil !== undefined && this.feed.ready && this.proofs.now() < observeUntil;
  }
}

/**
 * Registered issuers are few. The limit bounds memory if `decide()` is called with arbitrary
 * issuers.
 */
const MOST_ISSUERS = 100;

const PASS_IT =
  'Pass the kid of the key that verified the token: assertActive(claims, { kid: kidOf(token) }), or getKid() of a RevocationGuard.';

/**
 * Logs once per issuer that its tokens are checked without a `kid`, and once that they are refused
 * because of that.
 */
class MissingKids {
  private readonly logger = new Logger('RevocationService');
  private readonly warned = new Set<string>();
  private readonly refused = new Set<string>();

  /** @param verdict - The verdict about a token of this issuer that has no `kid`. */
  note(issuer: unknown, verdict: Verdict): void {
    const isRefused = verdict.state === 'revoked' && verdict.kind === 'key';
    const known = isRefused ? this.refused : this.warned;
    const name = String(issuer);
    if (known.has(name) || known.size >= MOST_ISSUERS) return;
    known.add(name);
    const shown = logText(name);
    if (isRefused) {
      this.logger.error(
        `Tokens of the issuer "${shown}" are refused with key_revoked: a key was revoked, and these tokens have no kid that shows which key signed them. ` +
          `${PASS_IT} The option acceptWithoutKid: ['${shown}'] accepts them all, including those of the revoked key.`,
      );
    } else {
      this.logger.warn(
        `A token of the issuer "${shown}" was checked without a kid. Once a key of the issuer is revoked, such tokens are refused. ${PASS_IT}`,
      );
    }
  }
}
