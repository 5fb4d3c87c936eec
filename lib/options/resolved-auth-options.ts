import type { ModuleRef } from '@nestjs/core';
import type { AuthKey } from './auth-key.js';
import { AUTH_OPTIONS } from './auth-option-table.js';
import type { AuthOptions } from './auth-options.js';
import { LEGACY_TOKEN_LIFE } from './legacy-options.js';
import { readOptions, type Resolved } from './option-checks.js';

/** The injection token of what the application gave, which only the resolver reads. */
export const RAW_AUTH_OPTIONS = Symbol('nestjs-logout:auth-options');

type Values = Resolved<typeof AUTH_OPTIONS>;

/**
 * The options after the one check: complete, frozen, every duration in milliseconds. Everything but the
 * resolver has them injected by this class.
 */
// oxlint-disable-next-line no-unsafe-declaration-merging -- Nobody makes an instance: the class is the name by which Nest injects it.
export abstract class ResolvedAuthOptions {}
export interface ResolvedAuthOptions extends Omit<Values, 'secret' | 'keys' | 'observe'> {
  /** Asks the application for its keys and checks them; called at boot and by `KeyService.reload()`. */
  readonly loadKeys: () => Promise<readonly AuthKey[]>;
  readonly observeUntil: Values['observe'];
  /** The longest lifetime of any token this instance can be asked about. */
  readonly maxTokenLife: number;
}

/** What may be given beside `useFactory` instead of being returned by it. */
export interface RegisteredCalls {
  readonly claims?: unknown;
  readonly validate?: unknown;
}

const AT_REGISTRATION =
  'It belongs beside useFactory (or useClass), or into forRoot(): it is settled when the module is registered, before a factory runs.';

/** What people bring along from @nestjs/jwt, @nestjs/passport and passport-jwt, and where it went. */
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['isGlobal', AT_REGISTRATION],
  ['http', AT_REGISTRATION],
  ['exportJwtService', AT_REGISTRATION],
  ['global', `Call it isGlobal. ${AT_REGISTRATION}`],
  ['secretOrKey', 'Use secret, or keys: [{ kid, alg, publicKey }].'],
  ['jwtSecret', 'Use secret.'],
  ['secretOrKeyProvider', 'Use keys: a list, or a function that returns it.'],
  ['secretOrPrivateKey', 'Use secret, or keys: [{ kid, alg, privateKey }].'],
  ['privateKey', 'Use keys: [{ kid, alg, privateKey }].'],
  ['publicKey', 'Use keys: [{ kid, alg, publicKey }].'],
  ['algorithm', 'Each key has its own: keys: [{ kid, alg, … }].'],
  ['algorithms', 'Each key has its own: keys: [{ kid, alg, … }].'],
  ['expiresIn', 'Use accessTokenTtl.'],
  ['signOptions', 'Use accessTokenTtl, issuer and audience.'],
  ['verifyOptions', 'Use clockTolerance, issuer and audience.'],
  ['ignoreExpiration', 'Expiry is never ignored; a logout route takes @AllowExpired().'],
  ['jwtFromRequest', 'The token is taken from the Authorization header (RFC 6750 section 2.1).'],
  ['defaultStrategy', 'Use strategyName.'],
  ['connection', 'Use dataSource.'],
]);

/**
 * Checks what a user set and makes it complete: called once, and the only reader of
 * {@link AuthOptions}. Everything else reads its frozen result.
 *
 * A `secret` and a list of `keys` are checked at once; a function that gives keys is first called
 * by `loadKeys()`, and its answer is checked there.
 *
 * @param registered - What was given beside `useFactory`.
 * @param modules - Where the classes behind `claims` and `validate` are looked up, later.
 * @throws InvalidAuthOptionsError with every problem, what was given, and the fix.
 */
export function resolveAuthOptions(
  options: AuthOptions,
  registered: RegisteredCalls = {},
  modules?: ModuleRef,
): ResolvedAuthOptions {
  const {
    secret: _,
    keys: loadKeys,
    observe: observeUntil,
    ...others
  } = readOptions(options, 'options', AUTH_OPTIONS, FAMILIAR, { registered, modules });
  const maxTokenLife = Math.max(
    others.accessTokenTtl,
    // Not what is left until its end: the hosts' clocks may differ about that.
    others.legacy === undefined ? 0 : LEGACY_TOKEN_LIFE,
    ...others.foreign.map((issuer) => issuer.maxTokenLife),
  );
  return Object.freeze({ ...others, loadKeys, observeUntil, maxTokenLife });
}
