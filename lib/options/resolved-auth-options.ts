import type { ModuleRef } from '@nestjs/core';
import type { AuthKey } from './auth-key.js';
import { AUTH_OPTIONS } from './auth-option-table.js';
import type { AuthOptions } from './auth-options.js';
import { LEGACY_TOKEN_LIFE } from './legacy-options.js';
import { readOptions, type Resolved } from './option-checks.js';

/** The injection token of the options as the application gave them. Only the resolver reads them. */
export const RAW_AUTH_OPTIONS = Symbol('nestjs-logout:auth-options');

type Values = Resolved<typeof AUTH_OPTIONS>;

/**
 * The checked options: complete and frozen, with every duration in milliseconds. All providers inject them
 * with this class.
 */
// oxlint-disable-next-line no-unsafe-declaration-merging -- No one creates an instance: the class is the injection token.
export abstract class ResolvedAuthOptions {}
export interface ResolvedAuthOptions extends Omit<Values, 'secret' | 'keys' | 'observe'> {
  /** Returns the checked keys of the application. It is called at boot and by `KeyService.reload()`. */
  readonly loadKeys: () => Promise<readonly AuthKey[]>;
  readonly observeUntil: Values['observe'];
  /** The longest lifetime of any token that this instance may accept (ms): its own, legacy or foreign. */
  readonly maxTokenLife: number;
}

/** The options that may be set beside `useFactory` instead of being returned by it. */
export interface RegisteredCalls {
  readonly claims?: unknown;
  readonly validate?: unknown;
}

const AT_REGISTRATION =
  'It belongs beside useFactory (or useClass), or into forRoot(): it is settled when the module is registered, before a factory runs.';

/** Options of @nestjs/jwt, @nestjs/passport and passport-jwt, with what to write here instead. */
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
 * Checks the options of the application and adds the defaults. It is called once, at boot.
 *
 * A `secret` and a list of `keys` are checked here. If `keys` is a function, `loadKeys()` calls it later and
 * checks its result.
 *
 * @param registered - The options that were given beside `useFactory`.
 * @param modules - Where the classes of `claims` and `validate` are looked up later.
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
    // Not the time that is left until `legacy.until`, because the clocks of the hosts may differ.
    others.legacy === undefined ? 0 : LEGACY_TOKEN_LIFE,
    ...others.foreign.map((issuer) => issuer.maxTokenLife),
  );
  return Object.freeze({ ...others, loadKeys, observeUntil, maxTokenLife });
}
