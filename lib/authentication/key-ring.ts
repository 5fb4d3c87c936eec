import { Injectable, Logger } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { refusal } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { AuthKey, SigningAlgorithm } from '../options/auth-key.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { SharedCall } from '../platform/async-calls.js';
import { logText } from '../platform/log-text.js';
import type { RevocationIndex } from '../revocation/index/revocation-index.js';
import type { ProofClock } from '../revocation/staleness/proof-clock.js';
import { LegacyTokens } from './legacy/legacy-tokens.js';

/** A key and whether it is still in use. */
export interface RingEntry {
  readonly key: AuthKey;
  /** When every token of a retiring key has expired (epoch ms); `null` while the key is in use. */
  until: number | null;
  /**
   * Whether `KeyService.retire()` was called for it. Then it stays retired, even if `keys` still lists
   * it.
   */
  retired: boolean;
}

/** A key with a secret or private part, so that it can sign. */
export type SigningKey = AuthKey & { readonly sign: NonNullable<AuthKey['sign']> };

/** A public key in the format of a JWK (RFC 7517). */
export interface PublicJwk extends JsonWebKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly use: 'sig';
}

/**
 * The keys of the application. The first key that can sign signs new tokens. All keys verify.
 *
 * A key that is removed keeps verifying until its last token has expired. Each key has one `kid` and one
 * algorithm (RFC 8725 section 3.1).
 */
export class KeyRing {
  /** The algorithms in use. It is always the same array, because passport-jwt keeps a reference to it. */
  readonly algorithms: SigningAlgorithm[] = [];
  /**
   * The secret of the option `legacy`. It is not part of the ring, so it can never verify tokens of this
   * library.
   */
  readonly legacy: LegacyTokens | undefined;
  /**
   * The keys by the encoded header that this library writes. One look-up replaces parsing and checking
   * the header.
   */
  byHeader: ReadonlyMap<string, RingEntry> = new Map();
  /** Increases with each change of the ring. Tokens that were verified before are then verified again. */
  revision = 0;
  private entries = new Map<string, RingEntry>();
  private readonly services = new WeakMap<AuthKey, JwtService>();

  private constructor(
    private readonly options: ResolvedAuthOptions,
    private readonly index: RevocationIndex,
    private readonly proofs: ProofClock,
  ) {
    const { legacy, issuer } = options;
    if (legacy !== undefined) this.legacy = new LegacyTokens(legacy, issuer, index, proofs);
  }

  /** Makes the ring with the keys of the application (option `keys` or `secret`). */
  static async create(
    options: ResolvedAuthOptions,
    index: RevocationIndex,
    proofs: ProofClock,
  ): Promise<KeyRing> {
    const ring = new KeyRing(options, index, proofs);
    ring.replace(await options.loadKeys());
    return ring;
  }

  /**
   * The key that signs now.
   *
   * @param kid - The key to prefer, if it may sign.
   * @throws AuthUnavailableException `no_signing_key` if every key is revoked, retired or only verifies.
   */
  signingKey(kid?: string): SigningKey {
    const named = kid === undefined ? undefined : this.entries.get(kid);
    if (named !== undefined && this.maySign(named)) return named.key as SigningKey;
    for (const entry of this.entries.values()) {
      if (this.maySign(entry)) return entry.key as SigningKey;
    }
    throw refusal('no_signing_key');
  }

  /**
   * The secret parts of the keys: secrets and private keys, the current signing key first. Revoked keys
   * are left out, because an attacker may know them.
   */
  secretHalves(): KeyObject[] {
    const signing: KeyObject[] = [];
    const others: KeyObject[] = [];
    for (const { key, until } of this.entries.values()) {
      if (key.secretHalf === null || this.index.isKeyRevoked(key.kid)) continue;
      (key.sign !== null && until === null ? signing : others).push(key.secretHalf);
    }
    return [...signing, ...others];
  }

  /** The secret part of a known key, whether it is in use or not. */
  secretHalfOf(kid: string): KeyObject | undefined {
    const key = this.entries.get(kid)?.key ?? this.legacy?.key;
    return (key?.kid === kid ? key.secretHalf : null) ?? undefined;
  }

  /** Whether it is one of our keys, including retired ones and the key of the option `legacy`. */
  has(kid: string): boolean {
    return this.entries.has(kid) || this.legacy?.key.kid === kid;
  }

  /** The key that verifies tokens with this exact `kid`. */
  find(kid: string): RingEntry | undefined {
    const entry = this.entries.get(kid);
    return entry !== undefined && this.isUsable(entry) ? entry : undefined;
  }

  /**
   * A `JwtService` of @nestjs/jwt for one key. It signs (if the key can) and verifies with this key, its
   * `kid`, its one algorithm, and our issuer and audience. The options of a call override these, as
   * usual.
   */
  jwtOf(key: AuthKey): JwtService {
    let service = this.services.get(key);
    if (service === undefined) this.services.set(key, (service = this.makeJwt(key)));
    return service;
  }

  /** The keys that verify tokens now, without the revoked ones. */
  verifyingKeys(): AuthKey[] {
    return [...this.entries.values()]
      .filter((entry) => this.isUsable(entry) && !this.index.isKeyRevoked(entry.key.kid))
      .map(({ key }) => key);
  }

  /** The public keys among {@link verifyingKeys}, for a JWKS. It never contains a secret. */
  publicKeys(): PublicJwk[] {
    return this.verifyingKeys()
      .filter(({ verify }) => verify.type === 'public')
      .map(({ kid, alg, verify }) => ({
        ...verify.export({ format: 'jwk' }),
        kid,
        alg,
        use: 'sig',
      }));
  }

  /** Loads the keys again. If that fails, the ring does not change. */
  async reload(): Promise<void> {
    this.replace(await this.options.loadKeys());
  }

  /**
   * Stops signing with a key.
   *
   * @throws AuthWiringError if no key has this kid.
   */
  retire(kid: string): void {
    const entry = this.entries.get(kid);
    if (entry === undefined) {
      throw new AuthWiringError(`No key of this application has the kid "${kid}".`);
    }
    this.revision++;
    entry.retired = true;
    entry.until ??= this.lastExpiry();
  }

  private makeJwt({ alg, kid, sign, verify }: AuthKey): JwtService {
    const { issuer, audience } = this.options;
    return new JwtService({
      ...(sign === null ? {} : { privateKey: sign }),
      publicKey: verify,
      signOptions: { issuer, audience, algorithm: alg, keyid: kid },
      verifyOptions: { issuer, audience, algorithms: [alg] },
    });
  }

  private maySign({ key, until }: RingEntry): boolean {
    return key.sign !== null && until === null && !this.index.isKeyRevoked(key.kid);
  }

  private isUsable({ until }: RingEntry): boolean {
    return until === null || this.proofs.now() < until;
  }

  private replace(keys: readonly AuthKey[]): void {
    const next = new Map<string, RingEntry>();
    for (const key of keys) {
      const known = this.entries.get(key.kid);
      if (known !== undefined && !isSameKey(known.key, key)) {
        throw new AuthWiringError(
          `The kid "${key.kid}" is now used for another key: tokens of the two keys could not be distinguished.`,
          'Give the new key its own kid, and remove the old key from the list.',
        );
      }
      // A key that was retired with `retire()` stays retired, even if the application still lists it. One
      // that was only removed from the list is in use again.
      const isRetired = known?.retired === true;
      next.set(key.kid, isRetired ? { ...known, key } : { key, until: null, retired: false });
    }
    const now = this.proofs.now();
    for (const [kid, { key, retired, until }] of this.entries) {
      if (next.has(kid) || (until !== null && until <= now)) continue;
      next.set(kid, { key, retired, until: until ?? this.lastExpiry() });
    }
    this.revision++;
    this.entries = next;
    this.byHeader = new Map([...next.values()].map((entry) => [headerSegment(entry.key), entry]));
    const algorithms = new Set([...next.values()].map(({ key }) => key.alg));
    this.algorithms.splice(0, this.algorithms.length, ...algorithms);
  }

  private lastExpiry(): number {
    return this.proofs.now() + this.options.accessTokenTtl + this.options.clockTolerance;
  }
}

function isSameKey(one: AuthKey, other: AuthKey): boolean {
  return one.alg === other.alg && one.verify.equals(other.verify);
}

/**
 * The encoded header of our own tokens, with the members in the order in which jsonwebtoken writes them.
 */
function headerSegment({ alg, kid }: AuthKey): string {
  return Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url');
}

/**
 * Rotates the signing keys of the running application. A rotation logs no one out.
 *
 * It changes this instance only: call it on each one. If a key has leaked, a rotation is not enough: use
 * `LogoutService.revokeKey(kid)`, which revokes its tokens on every instance.
 *
 * @example
 * ```ts
 * process.on('SIGHUP', () => void this.keys.reload());
 * ```
 * @publicApi
 */
@Injectable()
export class KeyService {
  private readonly logger = new Logger(KeyService.name);

  /** Reloads run one after the other, so that the newest keys win. */
  private readonly reloading = new SharedCall(() => this.ring.reload());

  constructor(private readonly ring: KeyRing) {}

  /**
   * Calls the option `keys` again, if it is a function. A key that is no longer in the list stops
   * signing, and verifies until its last token has expired.
   *
   * @throws Error the error of `keys` or of its check. Then the keys do not change.
   */
  async reload(): Promise<void> {
    await this.reloading.run();
    this.logger.log('The signing keys have been read again.');
  }

  /**
   * Retires a key until the process ends: it stops signing, and verifies until its last token has expired.
   * Without another key that can sign, login and refresh answer 503 `no_signing_key`.
   *
   * @throws AuthWiringError if no key has this kid.
   */
  async retire(kid: string): Promise<void> {
    this.ring.retire(kid);
    this.logger.log(`The key "${logText(kid)}" no longer signs.`);
  }
}
