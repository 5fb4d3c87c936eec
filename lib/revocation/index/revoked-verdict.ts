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

/** The note of each reason in the tables. A reason that this release does not know counts as `unspecified`, 0. */
export const NOTES: ReadonlyMap<RevocationReason, number> = new Map(
  REVOCATION_REASONS.map((reason, note) => [reason, note]),
);

function verdictsOf(kind: RevocationKind): readonly RevokedVerdict[] {
  return REVOCATION_REASONS.map((reason) => Object.freeze({ state: 'revoked', kind, reason }));
}
