/** Everything that can end a token, in the order of the table. */
export const ENDINGS = {
  token: '`logout()` of this one access token',
  session: '`logoutSession(sid)`',
  subject: '`logoutAll(subject)`',
  client: '`logoutAll(subject, { client })`',
  grant: '`logoutGrant(id)`',
  accessOnly: '`claimsChanged(subject)`',
  disabled: '`disable(subject)`',
  locked: '`lock(subject)`',
  removed: '`remove(subject)`',
  issuer: '`revokeEveryone()`',
  key: '`revokeKey(kid)`',
  expiry: 'its `exp` has passed',
  notBefore: 'its `nbf` is in the future',
  unknown: 'no proof of freshness',
} as const;

/** Everything that can accept a token. */
export const ENTRY_POINTS = {
  guard: '`JwtAuthGuard`',
  accessTokenGuard: '`AccessTokenGuard`',
  strategy: "`AuthGuard('jwt')`",
  revocationGuard: '`RevocationGuard`',
  assertActive: '`assertActive(claims, { kid })`',
  decide: '`RevocationService.decide`',
  tokenService: '`TokenService.verify`',
  introspection: 'introspection',
  jwtService: '`JwtService.verify`',
  refresh: '`SessionService.refresh`',
} as const;

export type Ending = keyof typeof ENDINGS;
export type EntryPoint = keyof typeof ENTRY_POINTS;

/** Why an entry point accepts an ended token, deliberately. */
export const REASONS = {
  verifier:
    'It receives claims that your own code has verified, and that code checks `exp` and `nbf`. `assertActive` checks them with `checkTimes: true`. A minute after `exp` it refuses in any case.',
  purpose:
    '`JwtService` signs tokens for purposes other than a login, such as a password reset. A logout does not revoke them, so use a short `expiresIn`. It refuses access tokens, because of their type.',
  oneToken: 'One access token was revoked, not its session.',
  nextClaims: 'Only access tokens are revoked. The refreshed one has the new claims.',
  nextKey:
    'A refresh token is not signed, so the session continues with the next key. `revokeKey(kid, { sessions: true })` also revokes the sessions that started with the old key.',
  noSuchTime: 'A refresh token has no `nbf`.',
  database: 'A refresh reads the session in the database, so it needs no proof.',
} as const;

/** A code (or the name of an error), or the reason for accepting. */
export type Cell = { readonly refuses: string } | { readonly accepts: keyof typeof REASONS };

const no = (refuses: string): Cell => ({ refuses });
const yes = (accepts: keyof typeof REASONS): Cell => ({ accepts });

/** The same for all that check revocation, and the answers of JwtService and refresh. */
function revoked(code: string, jwtService: Cell, refresh: Cell): Record<EntryPoint, Cell> {
  return {
    guard: no(code),
    accessTokenGuard: no(code),
    strategy: no(code),
    revocationGuard: no(code),
    assertActive: no(code),
    decide: no(code),
    tokenService: no(code),
    introspection: no('inactive'),
    jwtService,
    refresh,
  };
}

/** What each entry point does after each ending; every cell is filled. */
export const TABLE: Record<Ending, Record<EntryPoint, Cell>> = {
  token: revoked('token_revoked', yes('purpose'), yes('oneToken')),
  session: revoked('session_ended', yes('purpose'), no('session_ended')),
  subject: revoked('session_ended', yes('purpose'), no('session_ended')),
  client: revoked('session_ended', yes('purpose'), no('session_ended')),
  grant: revoked('session_ended', yes('purpose'), no('session_ended')),
  accessOnly: revoked('session_ended', yes('purpose'), yes('nextClaims')),
  disabled: revoked('account_disabled', yes('purpose'), no('account_disabled')),
  locked: revoked('account_locked', yes('purpose'), no('account_locked')),
  // Its sessions are deleted, so its refresh tokens are unknown.
  removed: revoked('session_ended', yes('purpose'), no('refresh_token_invalid')),
  issuer: revoked('token_revoked', yes('purpose'), no('session_ended')),
  key: revoked('key_revoked', no('key_revoked'), yes('nextKey')),
  expiry: {
    ...revoked('token_expired', no('TokenExpiredError'), no('refresh_token_expired')),
    revocationGuard: yes('verifier'),
    assertActive: yes('verifier'),
    decide: yes('verifier'),
  },
  notBefore: {
    ...revoked('token_invalid', no('NotBeforeError'), yes('noSuchTime')),
    revocationGuard: yes('verifier'),
    assertActive: yes('verifier'),
    decide: yes('verifier'),
  },
  unknown: {
    ...revoked('revocation_state_unknown', no('revocation_state_unknown'), yes('database')),
    introspection: no('revocation_state_unknown'),
  },
};

/** docs/entry-points.md. */
export function entryPointsMarkdown(): string {
  const points = Object.keys(ENTRY_POINTS) as EntryPoint[];
  const endings = Object.keys(ENDINGS) as Ending[];
  const reasons = Object.keys(REASONS) as (keyof typeof REASONS)[];
  const show = (cell: Cell): string =>
    'refuses' in cell ? `\`${cell.refuses}\`` : `accepted (${reasons.indexOf(cell.accepts) + 1})`;
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    '# What each entry point refuses',
    '',
    'The table shows what each place that accepts tokens does with a token that was revoked or has expired. A code means that it refuses the token with this code. *Accepted* has the number of a reason below the table. `inactive` is `{ "active": false }`. The names that end in `Error` come from jsonwebtoken.',
    '',
    row(['revoked by', ...points.map((point) => ENTRY_POINTS[point])]),
    row(['---', ...points.map(() => '---')]),
    ...endings.map((ending) =>
      row([ENDINGS[ending], ...points.map((point) => show(TABLE[ending][point]))]),
    ),
    '',
    ...reasons.map((reason, index) => `${index + 1}. ${REASONS[reason]}`),
    '',
    'The guards refuse the same tokens in GraphQL subscriptions, gateways and message handlers ([transports.md](transports.md)). `TokenService.verifyRequest` refuses the same as `verify`. An opaque access token of a login is refused as its JWT would be. What ends API tokens is in [opaque-tokens.md](opaque-tokens.md).',
    '',
    '`test/security/entry-points.spec.ts` tests every cell of the table.',
    '',
  ].join('\n');
}
