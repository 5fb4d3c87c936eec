import type { RevocationKind, RevocationReason } from './revocation-event.js';

/** The token is good, and a proof that is fresh enough says so. */
export interface ActiveVerdict {
  readonly state: 'active';
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

/** The verdict about a token of another installation that has our secret. */
export const INVALID: InvalidVerdict = Object.freeze({ state: 'invalid' });
