/**
 * One requirement of OWASP ASVS 5.0 and what answers it: the tests that show it, the reason why it is
 * not this library's, or what is missing.
 */
export type AsvsEntry = {
  readonly number: string;
  /** In our own words. */
  readonly asks: string;
} & (
  | {
      /** `file below test/: part of a title`. */
      readonly test: string | readonly string[];
      /** What the tests do not cover, because it is the application's or is not built. */
      readonly but?: string;
    }
  | { readonly not: string }
);

/** Every number that applies to a library like this one. */
export const ASVS_NUMBERS: readonly string[] = `
  3.3.1 3.3.2 3.3.3 3.3.4 3.3.5 3.5.1 3.5.2 3.5.3
  4.1.3 4.4.3 4.4.4
  7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5
  7.5.1 7.5.2 7.5.3 7.6.1 7.6.2
  9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 9.2.4
  10.3.1 10.3.2 10.3.3 10.3.4 10.3.5 10.4.5 10.4.8 10.4.9 10.4.10 10.5.5 10.6.2
  11.2.3 11.2.4 11.4.1 11.5.1
  15.3.4 15.4.2
  16.2.5 16.3.1 16.3.3 16.5.1 16.5.2 16.5.3
`
  .trim()
  .split(/\s+/);

export const asvsCoverage: readonly AsvsEntry[] = [
  {
    number: '3.3.1',
    asks: 'Cookies are Secure, with the prefix __Secure- or __Host-.',
    test: ['e2e/http-cookies.spec.ts: at login', 'e2e/http-options.spec.ts: every attribute'],
    but: '`secure: false` is for http://localhost; in production it logs a warning.',
  },
  {
    number: '3.3.2',
    asks: 'SameSite is set as the cookie’s purpose needs.',
    test: ['e2e/http-cookies.spec.ts: at login', 'e2e/http-options.spec.ts: every attribute'],
  },
  {
    number: '3.3.3',
    asks: 'Cookies are named __Host-, unless other hosts share them.',
    test: 'e2e/http-cookies.spec.ts: at login',
    but: 'With `refreshPath` the refresh cookie is __Secure-, because __Host- demands Path=/.',
  },
  {
    number: '3.3.4',
    asks: 'Session cookies are HttpOnly, and their value travels in Set-Cookie only.',
    test: 'e2e/http-cookies.spec.ts: at login; no token is in the body',
  },
  {
    number: '3.3.5',
    asks: 'A cookie’s name and value are at most 4096 bytes.',
    test: 'e2e/http-options.spec.ts: a token that no browser would keep',
  },
  {
    number: '3.5.1',
    asks: 'A request that changes something was sent by the application’s own page.',
    test: 'e2e/http-csrf.spec.ts: requests from another site’s page',
  },
  {
    number: '3.5.2',
    asks: 'A call that relies on the CORS preflight cannot be made without one.',
    not: 'Nothing relies on the preflight: Origin and Sec-Fetch-Site are checked (3.5.1). CORS is the application’s.',
  },
  {
    number: '3.5.3',
    asks: 'GET changes nothing.',
    test: 'e2e/http-contract.spec.ts: GET logs no one out',
  },
  {
    number: '4.1.3',
    asks: 'A header that a proxy sets cannot be set by a client.',
    test: 'e2e/hostile-requests.ts: a forged address',
    but: 'The test shows that it breaks nothing. The address is the framework’s (`trust proxy`), which the application sets; that a forged one is not stored has no test.',
  },
  {
    number: '4.4.3',
    asks: 'WebSockets use the sessions of the application, or tokens of the same strength.',
    test: 'transports/open-sockets.spec.ts: is refused at its next message once its login was ended',
    but: 'The guards refuse the next message; `LiveSockets` closes the socket, if the gateway uses it.',
  },
  {
    number: '4.4.4',
    asks: 'A socket’s token was given or checked by the HTTPS session.',
    test: 'e2e/sockets.spec.ts: a socket with a valid token is accepted, and has its claims',
  },
  {
    number: '7.1.1',
    asks: 'Idle and absolute limits are documented, with reasons where they differ from NIST 800-63B.',
    not: 'Documentation of the application. [choosing-lifetimes.md](choosing-lifetimes.md) helps to write it.',
  },
  {
    number: '7.1.2',
    asks: 'The number of sessions per account is documented, and what happens beyond it.',
    not: 'Documentation of the application; `maxSessions` enforces what it says (`cluster/sessions/accounts.spec.ts`).',
  },
  {
    number: '7.1.3',
    asks: 'All systems of a single sign-on are documented.',
    not: 'Documentation of the application; the library federates nothing.',
  },
  {
    number: '7.2.1',
    asks: 'Tokens are verified by the backend.',
    test: [
      'unit/authentication/jwt-auth.guard.spec.ts: guards every route',
      'security/jwt-wiring.spec.ts: stops the boot',
    ],
  },
  {
    number: '7.2.2',
    asks: 'Session tokens are made for each session; no static keys.',
    test: 'cluster/sessions/refresh.spec.ts: a refresh returns the next pair, and a token of the same session',
  },
  {
    number: '7.2.3',
    asks: 'Reference tokens are unique, from a secure generator, with 128 bits or more.',
    test: 'unit/sessions/refresh-token.spec.ts: is 192 random bits',
  },
  {
    number: '7.2.4',
    asks: 'A login makes a new session token and ends the one before.',
    test: [
      'cluster/sessions/accounts.spec.ts: RT-10',
      'e2e/http-cookies.spec.ts: a login ends the session',
    ],
    but: 'In cookie mode automatically; otherwise the application passes the session before (`replaces`).',
  },
  {
    number: '7.3.1',
    asks: 'Sessions end after inactivity.',
    test: 'cluster/sessions/refresh.spec.ts: RT-09',
  },
  {
    number: '7.3.2',
    asks: 'Sessions have an absolute end.',
    test: 'cluster/sessions/refresh.spec.ts: RT-09',
  },
  {
    number: '7.4.1',
    asks: 'After logout or expiry the session cannot be used any more.',
    test: [
      'cluster/promises/p1-p2-p5-two-processes.spec.ts: P1 local',
      'cluster/promises/p1-p2-p5-two-processes.spec.ts: P2 bounded',
      'security/altered-spellings.spec.ts: is refused with every other last character',
      'browser/page-browser.spec.ts: the Back button shows nothing private after a logout',
    ],
  },
  {
    number: '7.4.2',
    asks: 'Disabling or deleting an account ends its sessions.',
    test: [
      'cluster/sessions/accounts.spec.ts: tokens stay revoked after their account is unlocked',
      'cluster/sessions/accounts.spec.ts: removed and created again',
    ],
    but: 'The application calls `disable()` or `remove()`.',
  },
  {
    number: '7.4.3',
    asks: 'After a change of password or factor the other sessions can be ended.',
    test: [
      'cluster/sessions/accounts.spec.ts: RV-05',
      'e2e/quickstart-accounts.spec.ts: ends the other sessions and keeps its own',
    ],
    but: 'The application calls `passwordChanged()`.',
  },
  {
    number: '7.4.4',
    asks: 'Every page behind a login shows a way to log out.',
    not: 'User interface of the application. The quick-start’s page shows a way (`browser/page-browser.spec.ts: a logout in one tab logs out the other tab too`).',
  },
  {
    number: '7.4.5',
    asks: 'Administrators can end the sessions of one user or of all.',
    test: [
      'e2e/logout-service.spec.ts: logoutAll, revokeEveryone',
      'cluster/sessions/accounts.spec.ts: revokeEveryone ends the refresh tokens of all users',
    ],
    but: 'As services: the administrator’s routes are the application’s; the quick-start has some (`e2e/quickstart-accounts.spec.ts: what the admin does`).',
  },
  {
    number: '7.5.1',
    asks: 'Changing e-mail, phone or factors needs a new authentication.',
    not: 'Routes of the application, which put `@RecentLogin()` on them (`e2e/http-step-up.spec.ts: a login that is too old`).',
  },
  {
    number: '7.5.2',
    asks: 'Users can see their sessions and, after authenticating again, end them.',
    test: [
      'e2e/http-contract.spec.ts: the list of sessions',
      'e2e/http-contract.spec.ts: logging out there leaves here alone',
      'e2e/http-bad-input.spec.ts: leaves another account’s session alone',
      'e2e/http-step-up.spec.ts: with the option, listing sessions and ending another one need a',
    ],
    but: 'The new authentication is asked for where `http.recentLogin` is set.',
  },
  {
    number: '7.5.3',
    asks: 'Highly sensitive transactions need a second verification.',
    not: "Routes of the application. `@Freshness('strict')` proves that the session is live, not who uses it.",
  },
  {
    number: '7.6.1',
    asks: 'Sessions of relying party and identity provider end as documented.',
    not: 'The library is neither; `RevocationGuard` and `foreign` judge another issuer’s tokens.',
  },
  {
    number: '7.6.2',
    asks: 'A session starts only with the user’s consent or action.',
    not: 'The application calls `sessions.login()`; the library starts no session by itself.',
  },
  {
    number: '9.1.1',
    asks: 'The signature is verified before the contents are believed.',
    test: [
      'security/jwt-rules.spec.ts: JW-04: a valid token in any other spelling is refused',
      'unit/authentication/self-test.spec.ts: halves of a key pair',
    ],
  },
  {
    number: '9.1.2',
    asks: 'Only listed algorithms, never none, and no confusion of key types.',
    test: ['security/jwt-rules.spec.ts: JW-01', 'unit/options/bad-keys.ts: alg none'],
  },
  {
    number: '9.1.3',
    asks: 'Keys come from the configuration, never from the token’s header.',
    test: 'security/jwt-rules.spec.ts: JW-09',
  },
  {
    number: '9.2.1',
    asks: 'A token is valid only within its times.',
    test: [
      'security/jwt-rules.spec.ts: JW-07: a token needs finite times, a lifetime within the limit',
      'security/jwt-rules.spec.ts: JW-13',
    ],
  },
  {
    number: '9.2.2',
    asks: 'A token of another type is refused.',
    test: 'security/jwt-rules.spec.ts: JW-05: a token needs the type at+jwt',
  },
  {
    number: '9.2.3',
    asks: 'Only tokens for this audience are accepted.',
    test: 'security/jwt-rules.spec.ts: JW-08',
  },
  {
    number: '9.2.4',
    asks: 'One key for several audiences: each token names its audience.',
    test: [
      'unit/authentication/token.service.spec.ts: JwtService signs with the ring, sets issuer and audience',
      'unit/options/resolved-auth-options.spec.ts: the type requires issuer, audience and one of secret and keys',
    ],
  },
  {
    number: '10.3.1',
    asks: 'The resource server accepts tokens for itself only (aud).',
    test: 'security/jwt-rules.spec.ts: JW-08',
  },
  {
    number: '10.3.2',
    asks: 'Access is decided by the token’s claims (sub, scope, …).',
    not: 'Authorization is the application’s; `@CurrentToken()` gives it verified claims.',
  },
  {
    number: '10.3.3',
    asks: 'A user is known by claims that are never given to another (iss and sub).',
    test: [
      'cluster/protocol/w2-keys.spec.ts: the keys of two issuers with the same jti, sid or subject differ',
      'cluster/sessions/accounts.spec.ts: removed and created again',
    ],
  },
  {
    number: '10.3.4',
    asks: 'Demanded strength or recency of the authentication is checked (acr, amr, auth_time).',
    not: 'The library does not know how a user authenticated; the application can put such claims into the token and check them.',
  },
  {
    number: '10.3.5',
    asks: 'Access tokens are bound to their sender (DPoP or mutual TLS).',
    test: [
      'e2e/dpop.spec.ts: a bound token that is sent as Bearer is refused',
      'e2e/dpop.spec.ts: a refresh needs a proof of the key of the login',
    ],
  },
  {
    number: '10.4.5',
    asks: 'Refresh tokens rotate; one that is used again ends them all.',
    test: [
      'cluster/sessions/refresh.spec.ts: RT-04, RT-05',
      'cluster/sessions/refresh.spec.ts: RT-04: whether',
    ],
    but: 'Within the grace (10 s, or 0) a retry is given the same successor.',
  },
  {
    number: '10.4.8',
    asks: 'Refresh tokens have an absolute end.',
    test: 'cluster/sessions/refresh.spec.ts: RT-09',
  },
  {
    number: '10.4.9',
    asks: 'The user can revoke refresh tokens.',
    test: [
      'e2e/http-rfc.spec.ts: ends the session of an',
      'e2e/http-contract.spec.ts: logging out there leaves here alone',
    ],
    but: 'The pages for it are the application’s.',
  },
  {
    number: '10.4.10',
    asks: 'Confidential clients authenticate at the token and revocation endpoints.',
    not: 'There are no confidential clients: holding the token is enough to revoke it. Introspection needs `mayIntrospect` (`e2e/http-bad-input.spec.ts`).',
  },
  {
    number: '10.5.5',
    asks: 'An OIDC client checks the provider’s logout tokens and cannot be made to log users out.',
    not: 'The library is no OIDC client: back-channel logout is not built, and a logout token is refused as an access token (9.2.2).',
  },
  {
    number: '10.6.2',
    asks: 'An OpenID provider does not allow forced logouts.',
    test: [
      'e2e/http-csrf.spec.ts: POST /auth/logout',
      'e2e/quickstart-contract.spec.ts: a token of a revoked key cannot log out any session',
    ],
    but: 'The library is no OpenID provider; this is its own logout.',
  },
  {
    number: '11.2.3',
    asks: 'Cryptography has 128 bits of security or more.',
    test: ['unit/options/resolve-auth-keys.spec.ts: bad keys', 'security/jwt-rules.spec.ts: JW-02'],
    but: 'RSA keys of 2048 bits (112 bits of security) are accepted, as RFC 7518 allows.',
  },
  {
    number: '11.2.4',
    asks: 'Cryptographic comparisons take constant time.',
    not: 'Signatures are compared by Node and jsonwebtoken; refresh tokens are found by their SHA-256, so timing reveals nothing about them. Their check values are compared by timingSafeEqual.',
  },
  {
    number: '11.4.1',
    asks: 'Only approved hash functions.',
    test: [
      'unit/revocation/index/event-key.spec.ts: is the same on every instance: known keys',
      'unit/sessions/refresh-token.spec.ts: is stored as a SHA-256',
    ],
  },
  {
    number: '11.5.1',
    asks: 'Secrets are from a secure generator, with at least 128 bits; a UUID is not enough.',
    test: 'unit/sessions/refresh-token.spec.ts: is 192 random bits',
    but: 'Session ids are UUIDs, and no secret.',
  },
  {
    number: '15.3.4',
    asks: 'The client’s address comes from a field that clients cannot forge.',
    test: 'e2e/http-contract.spec.ts: the verifier gets the credentials and the request',
    but: 'The address is the framework’s; its trusted-proxy setting is the application’s. Nothing is decided by an address.',
  },
  {
    number: '15.4.2',
    asks: 'A check and what depends on it are one atomic operation.',
    test: [
      'cluster/sessions/races.spec.ts: races leave no valid token and report no deadlock',
      'cluster/sessions/refresh.spec.ts: RT-06',
      'cluster/protocol/g1-position-before-password.spec.ts: a token is refused if the password was changed elsewhere before it',
    ],
  },
  {
    number: '16.2.5',
    asks: 'No credentials in logs; session tokens only hashed.',
    test: 'security/nothing-leaks.spec.ts: the test calls the whole contract, with valid and invalid requests',
  },
  {
    number: '16.3.1',
    asks: 'Every authentication is logged, successful or failed.',
    test: [
      'e2e/audit-example.spec.ts: the example writes the events to its table',
      'cluster/sessions/refresh.spec.ts: RT-04, RT-05',
    ],
    but: 'Events are reported; storing them is the application’s ([audit.md](audit.md)). A wrong password is an event only where `login()` runs the check, and has no account.',
  },
  {
    number: '16.3.3',
    asks: 'Security events and attempts to bypass the controls are logged.',
    test: 'cluster/sessions/refresh.spec.ts: reuse reports tell an orphaned and a stale token apart',
    but: 'Reuse, locked accounts and revocations are events; a forged or refused access token is not.',
  },
  {
    number: '16.5.1',
    asks: 'Errors reveal no internals: no stack, query, key or token.',
    test: [
      'security/nothing-leaks.spec.ts: the test calls the whole contract, with valid and invalid requests',
      'security/jwt-rules.spec.ts: JW-12',
    ],
  },
  {
    number: '16.5.2',
    asks: 'It stays secure while another system is down.',
    test: [
      'cluster/promises/p3-p4-fails-closed.spec.ts: P3 fails closed',
      'e2e/http-rfc.spec.ts: while the database is away every route that needs it answers 503',
    ],
  },
  {
    number: '16.5.3',
    asks: 'It fails closed, also at an exception.',
    test: [
      'cluster/promises/p3-p4-fails-closed.spec.ts: P4 cold start',
      'cluster/promises/p10-honest.spec.ts: a logout in one statement answers 503 storage_unavailable whatever fails',
      'security/jwt-wiring.spec.ts: a guard made by hand throws, and never passes',
    ],
  },
];
