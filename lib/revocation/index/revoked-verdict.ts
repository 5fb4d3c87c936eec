import {
  REVOCATION_REASONS,
  type RevocationKind,
  type RevocationReason,
} from '../../database/entities/revocation-event.entity.js';

/**
 * The token was revoked. Refusing it needs no proof of freshness, because a revocation is never
 * taken back.
 */
export interface RevokedVerdict {
  readonly state: 'revoked';
  readonly kind: RevocationKind;
  readonly reason: RevocationReason;
}

/**
 * One frozen verdict for each kind and reason, by the note of the reason. They are shared, so that
 * refusing allocates nothing.
 */
export const REVOKED = {
  key: verdictsOf('key'),
  token: verdictsOf('token'),
  session: verdictsOf('session'),
  subject: verdictsOf('subject'),
  issuer: verdictsOf('issuer'),
};

/**
 * The note of each reason: the byte that tables store. A reason that this release does not know is
 * stored as 0 (`unspecified`).
 */
export const NOTES: ReadonlyMap<RevocationReason, number> = new Map(
  REVOCATION_REASONS.map((reason, note) => [reason, note]),
);

function verdictsOf(kind: RevocationKind): readonly RevokedVerdict[] {
  return REVOCATION_REASONS.map((reason) => Object.freeze({ state: 'revoked', kind, reason }));
}
