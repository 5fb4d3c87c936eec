import { endedBy, type Judgement, UNMARKED } from '../database/account.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import { NOTES, REVOKED, type RevokedVerdict } from '../revocation/index/revoked-verdict.js';

/** The key of no session: a cut-off that spares one session spares no API token. */
const NO_SESSION = '';

/**
 * What ended a token, by its row and the cut-offs of its account and issuer; `undefined` while it is open.
 * The row comes last: it was noted there what a cut-off ended, for when the cut-off is forgotten.
 */
export function endOfToken(
  { endedAt, endReason, gen, sid }: Pick<ApiToken, 'endedAt' | 'endReason' | 'gen' | 'sid'>,
  { account, issuer }: Pick<Judgement, 'account' | 'issuer'>,
): RevokedVerdict | undefined {
  // The access token of a session is shorter-lived than any event: the index knows all that ends it.
  const marks = sid === null ? { account, issuer } : { account: UNMARKED, issuer: UNMARKED };
  const ofAccount = endedBy(marks.account, gen, NO_SESSION);
  if (ofAccount !== undefined) return REVOKED.subject[NOTES.get(ofAccount) ?? 0];
  const ofIssuer = endedBy(marks.issuer, gen, NO_SESSION);
  if (ofIssuer !== undefined) return REVOKED.issuer[NOTES.get(ofIssuer) ?? 0];
  return endedAt === null ? undefined : REVOKED.token[NOTES.get(endReason ?? 'unspecified') ?? 0];
}
