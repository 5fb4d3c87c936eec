import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { BoundClient, BoundRow } from '../binding/bound-client.js';
import { KeyRing } from '../authentication/key-ring.js';
import { inexactIn } from '../authentication/jws.js';
import { OpaqueTokens } from '../authentication/opaque-tokens.js';
import type { Delivery } from '../database/entities/auth-session.entity.js';
import type { RefreshRow, SessionRow } from '../database/session.statements.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { AuthKey } from '../options/auth-key.js';
import type { ApplicationMethod } from '../options/application-method.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { ClaimsContext, ClaimsSource } from '../options/session-settings.js';
import { AuthClock } from '../platform/auth-clock.js';
import type { LogPosition } from '../revocation/log/log-positions.service.js';
import type { LoginResult } from './login-context.js';
import type { RefreshToken } from './refresh-token.js';
import { accessTtlOf } from './session-store.service.js';

/** The largest random share by which a lifetime is shortened, to spread refreshes. */
const JITTER = 0.02;

/** When a client should refresh, as a share of the token's lifetime. */
const REFRESH_AT = 0.9;

/** The claims that an application adds. */
type Claims = Readonly<Record<string, unknown>>;

/** A signed access token and its times. */
export interface SignedAccessToken {
  readonly text: string;
  readonly kid: string;
  /** Seconds until the token expires. */
  readonly expiresIn: number;
  /** When a client should refresh (epoch ms). */
  readonly refreshAt: number;
  /** What the row of the session stores about its client; `undefined` if nothing is bound. */
  readonly bound: BoundRow | undefined;
}

/**
 * Signs the access tokens of sessions, or has opaque ones issued (option `accessTokens`). Only this class makes
 * tokens of the type `at+jwt` (RFC 9068), or tokens in the format of the passport recipe (option `legacy`). Specified
 * in docs/requirements.md, "Access tokens".
 */
@Injectable()
export class AccessTokenSigner {
  constructor(
    private readonly keys: KeyRing,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
    @Inject(OpaqueTokens) private readonly opaque: OpaqueTokens | undefined,
  ) {}

  /**
   * Makes an access token. Everything that may fail is done here, before anything is stored or consumed.
   *
   * @param session - No token outlives its absolute end (RT-09).
   * @param since - The `gen` and the time of the token, read before its authority was checked (G1, G2).
   * @param client - What the token is bound to.
   * @param given - The claims of a login. Without them the option `claims` is called.
   * @returns `null` when the application says that there is no such account.
   * @throws AuthWiringError for claims that look like secrets or that the library sets, and for a token that
   * does not fit into its cookie.
   * @throws AuthUnavailableException `no_signing_key` if no key may sign.
   */
  async sign(
    session: Omit<SessionRow, 'kid' | 'jkt' | 'network'>,
    { position, now }: LogPosition,
    client: BoundClient | undefined,
    on: ClaimsContext['on'],
    given?: Claims,
  ): Promise<SignedAccessToken | null> {
    const { subject: sub, sid, expiresAt, createdAt, authTime } = session;
    const context = { sessionId: sid, on, client: session.client ?? undefined };
    const claims = given ?? (await claimsOf(this.options.claims, sub, context));
    if (claims === null) return null;
    assertSignable(claims, this.options.allowedClaims);
    const iat = Math.floor(now / 1000);
    const life = accessTtlOf(session, this.options) / 1000;
    const longest = iat + life - this.clock.jitter(life * JITTER);
    const exp = Math.max(iat + 1, Math.min(longest, Math.floor(expiresAt / 1000)));
    const payload = {
      ...claims,
      sub,
      sid,
      jti: randomUUID(),
      gen: position,
      iat,
      exp,
      auth_time: Math.floor((authTime ?? createdAt) / 1000),
    };
    // The kid is stored with the session, so that a leaked key shows which sessions it signed for.
    const signed = await this.signPayload(payload, exp, client);
    assertFitsCookie(signed.text, session.delivery);
    const expiresIn = exp - iat;
    return { ...signed, expiresIn, refreshAt: (iat + expiresIn * REFRESH_AT) * 1000 };
  }

  private async signPayload(
    payload: Claims,
    exp: number,
    client: BoundClient | undefined,
  ): Promise<Pick<SignedAccessToken, 'text' | 'kid' | 'bound'>> {
    const { legacy } = this.keys;
    const opaque = this.options.accessTokens === 'opaque' ? this.opaque : undefined;
    if (opaque === undefined && legacy?.signsUntil(exp * 1000) === true) {
      const { issuer: iss, audience: aud } = this.options;
      const text = await legacy.sign(boundBy(client, legacy.key, { ...payload, iss, aud }));
      return { text, kid: legacy.key.kid, bound: client?.rowBy(legacy.key) };
    }
    const key = this.keys.signingKey();
    const bound = boundBy(client, key, payload);
    const header = { alg: key.alg, typ: 'at+jwt' }; // JwtService adds iss, aud and kid.
    const text = await (opaque?.issue(bound, key.kid) ??
      this.keys.jwtOf(key).signAsync(bound, { header }));
    return { text, kid: key.kid, bound: client?.rowBy(key) };
  }
}

/** Adds the claim `cnf` (RFC 7800): what the token is bound to, as a digest under the key that signs it. */
function boundBy(client: BoundClient | undefined, key: AuthKey, payload: Claims): Claims {
  const cnf = client?.confirmation(key);
  return cnf === undefined ? payload : { ...payload, cnf };
}

/** What a cookie of 4,096 bytes can hold besides its name and attributes. */
const COOKIE_LIMIT = 3_900;

/** A browser silently drops a longer cookie (RFC 6265 section 6.1), and the client would have no token. */
function assertFitsCookie(text: string, delivery: Delivery): void {
  if (delivery !== 'cookie' || text.length <= COOKIE_LIMIT) return;
  throw new AuthWiringError(
    `An access token of ${text.length} characters does not fit into a cookie, which holds 4,096 with its name.`,
    'Put fewer claims into the token, or set http.cookies to false.',
  );
}

/**
 * Makes the answer of a login or a refresh.
 *
 * @param token - The refresh token; `undefined` if there is none (`refreshTokenTtl: 0`).
 * @param tokenEnd - When it expires (epoch ms), and the session with it if it is not refreshed.
 * @param now - The database's time of the answer (epoch ms), because checking passwords and claims may take
 * long.
 */
export function loginResultOf(
  { text, expiresIn, refreshAt, bound }: SignedAccessToken,
  { sid, isPersistent, expiresAt }: SessionRow,
  token: RefreshToken | undefined,
  tokenEnd: number,
  now: number,
): LoginResult {
  const idleExpiresIn = secondsUntil(tokenEnd, now);
  return {
    accessToken: text,
    expiresIn,
    refreshAt,
    sessionId: sid,
    idleExpiresIn,
    sessionExpiresIn: secondsUntil(expiresAt, now),
    ...(bound?.jkt ? { tokenType: 'DPoP' as const } : {}),
    ...(isPersistent ? {} : { persistent: false as const }),
    ...(token === undefined ? {} : { refreshToken: token, refreshExpiresIn: idleExpiresIn }),
  };
}

function secondsUntil(end: number, now: number): number {
  return Math.max(0, Math.round((end - now) / 1000));
}

/**
 * The result of a refresh that returns the same successor again.
 *
 * If that successor was replaced meanwhile, another tab is one step ahead. This one can catch up within the grace of
 * that step, so it should refresh now. In a browser the cookie already has the later token and must not be
 * overwritten with the older one.
 */
export function repeatedResultOf(
  signed: SignedAccessToken,
  session: SessionRow,
  token: RefreshToken,
  { expiresAt, replacedAt }: RefreshRow,
  now: number,
): LoginResult {
  const result = loginResultOf(signed, session, token, expiresAt, now);
  if (replacedAt === null) return result;
  if (session.delivery === 'body') return { ...result, refreshAt: Math.floor(now) };
  const { refreshToken: _, ...access } = result;
  return access;
}

/** The claims that the library itself sets; an application cannot set them. */
const REGISTERED = new Set('iss aud sub sid jti gen iat exp nbf cnf auth_time'.split(' '));

/**
 * Checks the claims that an application wants signed.
 *
 * @throws AuthWiringError for a registered name, for a name that looks like a secret and was not
 * allowed by `allowedClaims`, and for a value that JSON cannot hold exactly.
 */
export function assertSignable(claims: Claims, allowed: readonly string[]): void {
  for (const name of Object.keys(claims)) {
    if (REGISTERED.has(name) || name === '__proto__') {
      throw new AuthWiringError(
        `The claim "${name}" is set by nestjs-logout, so your application cannot set it.`,
        'Use another name for your claim.',
      );
    }
    if (isSecretive(name) && !allowed.includes(name)) {
      throw new AuthWiringError(
        `The claim "${name}" looks like a secret. A token's payload is signed, not encrypted: ` +
          'anyone who holds the token can read it.',
        'Remove the claim.',
        `If it is not a secret: AuthModule.forRoot({ allowedClaims: ['${name}'], … }).`,
      );
    }
  }
  const inexact = inexactIn(claims);
  if (inexact === undefined) return;
  throw new AuthWiringError(
    `The claims hold ${inexact} that a token cannot contain: the token would be refused at its first request.`,
    'Use well-formed strings (text.toWellFormed()) and finite numbers.',
  );
}

/**
 * Asks the application for the claims of an account's next token.
 *
 * @returns `null` when the application says that there is no such account.
 * @throws AuthWiringError for a result that is neither an object nor `null`: a forgotten `return`, or a look-up
 * that finds nothing, must not give a deleted account a token.
 */
async function claimsOf(
  given: ApplicationMethod<ClaimsSource> | undefined,
  subject: string,
  context: ClaimsContext,
): Promise<Claims | null> {
  if (given === undefined) return {};
  const source = given.source ?? given.find();
  // An application without TypeScript may return anything.
  const answer: unknown = await source.claims(subject, context);
  if (answer === null) return null;
  if (typeof answer === 'object' && !Array.isArray(answer)) return answer as Claims;
  const kind = Array.isArray(answer) ? 'a list' : typeof answer;
  throw new AuthWiringError(
    `The option claims returned ${kind}, at ${context.on}. ` +
      'Nothing was issued and nothing was consumed.',
    'For an account that no longer exists return null: the client gets account_disabled, and ' +
      'its session ends.',
    'For an account without claims return {}.',
  );
}

/** Words and pairs of words that make a name secret wherever they occur in it. */
const ANYWHERE = new Set(
  (
    'secret secrets credential credentials pwd otp totp cvv cvc iban ssn socialsecurity ' +
    'apikey privatekey accesskey secretkey cardnumber cardno ccnum ccnumber refreshtoken ' +
    'userpass dbpass'
  ).split(' '),
);

/** Endings that are long enough to be recognised in a name written as one word. */
const RUN_TOGETHER =
  /(?:secret|credentials?|socialsecurity|apikey|privatekey|accesskey|secretkey|cardnumber|refreshtoken)$/;

/** Names of secrets; followed by another word they are something else (`passwordChangedAt`). */
const LAST = /(?:password|passwd|passphrase|passcode|hash)$/;

/** The same, written as two words (`passPhrase`). */
const SPLIT = /^pass(?:word|wd|phrase|code)$/;

/** Secrets when alone; beside another word they are something else (`boardingPass`, `panId`). */
const ALONE = new Set(['pass', 'pin', 'pan', 'salt']);

/**
 * Whether a claim's name suggests a secret.
 *
 * It compares words, not letters: `businessName` contains `ssn` and is not a secret.
 */
function isSecretive(name: string): boolean {
  const words = wordsOf(name);
  const pairs = words.slice(1).map((word, index) => `${words[index]}${word}`);
  const [word = '', pair = ''] = [words.at(-1), pairs.at(-1)];
  return (
    (words.length === 1 && ALONE.has(word)) ||
    LAST.test(word) ||
    SPLIT.test(pair) ||
    words.some((each) => ANYWHERE.has(each) || RUN_TOGETHER.test(each)) ||
    pairs.some((each) => ANYWHERE.has(each))
  );
}

/** `apiKey`, `API_KEY` and `api-key` all have the words `api` and `key`. Digits are ignored. */
function wordsOf(name: string): string[] {
  const words = name.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+/gu) ?? [];
  return words.map((word) => word.toLowerCase());
}
