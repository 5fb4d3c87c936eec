import type { RevocationKind, RevocationReason } from '../database/revocation-event.js';

/**
 * Why a token passed without a proof that is fresh enough: by the policy `'open'` or `{ staleFor }`, by
 * an override, or because revocations are only observed.
 */
export type Leniency = 'open' | 'stale_for' | 'override' | 'observe';

/** The token is good, and a proof that is fresh enough says so, or a policy lets it pass. */
export interface ActiveVerdict {
  readonly state: 'active';
  /** Absent where a proof says so. */
  readonly leniency?: Leniency | undefined;
}

/** An event ended the token; no proof is needed for that. */
export interface RevokedVerdict {
  readonly state: 'revoked';
  readonly kind: RevocationKind;
  readonly reason: RevocationReason;
}

/** This instance cannot prove that it is fresh: 503, never 401, never a pass. */
export interface UnknownVerdict {
  readonly state: 'unknown';
  /** Seconds after which a retry makes sense. */
  readonly retryAfter: number;
}

/** Its position lies beyond everything that this log has ever numbered: another log's token. */
export interface InvalidVerdict {
  readonly state: 'invalid';
}

/** The answer to the one question about a token's claims. */
export type Verdict = ActiveVerdict | RevokedVerdict | UnknownVerdict | InvalidVerdict;

/** The one good answer, shared so that accepting allocates nothing. */
export const ACTIVE: ActiveVerdict = Object.freeze({ state: 'active' });

/** The answers of those who let pass what was not proven. */
export const LENIENT: Readonly<Record<Leniency, ActiveVerdict>> = Object.freeze({
  open: Object.freeze({ state: 'active', leniency: 'open' }),
  stale_for: Object.freeze({ state: 'active', leniency: 'stale_for' }),
  override: Object.freeze({ state: 'active', leniency: 'override' }),
  observe: Object.freeze({ state: 'active', leniency: 'observe' }),
});

/** The verdict about a token of another installation that has our secret. */
export const INVALID: InvalidVerdict = Object.freeze({ state: 'invalid' });
