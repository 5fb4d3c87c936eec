import {
  REVOCATION_REASONS,
  type RevocationKind,
  type RevocationReason,
} from '../../database/entities/revocation-event.entity.js';

/** An event revoked the token; refusing it needs no proof of freshness. */
export interface RevokedVerdict {
  readonly state: 'revoked';
  readonly kind: RevocationKind;
  readonly reason: RevocationReason;
}

/** One shared frozen verdict for each kind and reason (by its note), so that refusing allocates nothing. */
export const REVOKED = {
  key: verdictsOf('key'),
  token: verdictsOf('token'),
  session: verdictsOf('session'),
  subject: verdictsOf('subject'),
  issuer: verdictsOf('issuer'),
};

/** The note of a reason in the tables. A reason that this release does not know is `unspecified`. */
export function noteOf(reason: RevocationReason): number {
  return Math.max(REVOCATION_REASONS.indexOf(reason), 0);
}

function verdictsOf(kind: RevocationKind): readonly RevokedVerdict[] {
  return REVOCATION_REASONS.map((reason) => Object.freeze({ state: 'revoked', kind, reason }));
}
