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
  /** Epoch ms after which every token of a retiring key has expired; `null` while it is in use. */
  until: number | null;
  /** Taken out of use by `KeyService.retire()`, whatever the application's list says. */
  retired: boolean;
}

/** A key that can sign. */
export type SigningKey = AuthKey & { readonly sign: NonNullable<AuthKey['sign']> };

/** A public key as others read it (RFC 7517). */
export interface PublicJwk extends JsonWebKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly use: 'sig';
}

/**
 * The keys of the application. The first one that can sign signs, and each one verifies.
 *
 * A key that is removed keeps verifying until its last token has expired. Each key has one `kid` and
 * one algorithm (RFC 8725 section 3.1).
 */
export class KeyRing {
  /** The algorithms in use; always the same array, because passport-jwt keeps a reference to it. */
  readonly algorithms: SigningAlgorithm[] = [];
  /** Beside the ring, never in it: the secret of the option `legacy`. */
  readonly legacy: LegacyTokens | undefined;
  /**
   * The keys by the text of a header as this library writes it. One look-up, in place of a parse: a known
   * text needs no check.
   */
  byHeader: ReadonlyMap<string, RingEntry> = new Map();
  /** Grows with each change of the ring: what was verified before it is verified again. */
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

  /** Asks the application for its keys; the ring is complete when this resolves. */
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
   * @param kid - Prefers this key, if it may sign.
   * @throws AuthUnavailableException `no_signing_key` when every one is revoked, retired or verifies only.
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
   * What only this application knows of its keys: secrets and private halves, the one that signs now
   * first. Those of revoked keys are left out: an attacker may know them too.
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

  /** The secret half of a key that is known, whether it is in use or not. */
  secretHalfOf(kid: string): KeyObject | undefined {
    const key = this.entries.get(kid)?.key ?? this.legacy?.key;
    return (key?.kid === kid ? key.secretHalf : null) ?? undefined;
  }

  /** Whether it is one of our keys, retired ones and that of the option `legacy` included. */
  has(kid: string): boolean {
    return this.entries.has(kid) || this.legacy?.key.kid === kid;
  }

  /** The key that verifies tokens with this exact `kid`. */
  find(kid: string): RingEntry | undefined {
    const entry = this.entries.get(kid);
    return entry !== undefined && this.isUsable(entry) ? entry : undefined;
  }

  /**
   * A plain `JwtService` of @nestjs/jwt for one key: it signs (if the key can) and verifies with this key,
   * its `kid` and its one algorithm, and with our issuer and audience. What a call gives wins, as always
   * there.
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

  /** The public ones among {@link verifyingKeys}; a secret is never one. */
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

  /** Reads the keys again. When that fails, the ring does not change. */
  async reload(): Promise<void> {
    this.replace(await this.options.loadKeys());
  }

  /** The key signs nothing from now on. */
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
      // A key that was retired by hand stays retired, even if the application still lists it. One that
      // was only removed from the list is back in use.
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

/** The header of our own tokens, in the order in which jsonwebtoken writes it. */
function headerSegment({ alg, kid }: AuthKey): string {
  return Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url');
}

/**
 * Rotates the signing keys of the running application.
 *
 * It changes this instance only: call it on each one. If a key has leaked, use
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

  /** One after the other, so that the last answer wins. */
  private readonly reloading = new SharedCall(() => this.ring.reload());

  constructor(private readonly ring: KeyRing) {}

  /**
   * Asks the application for its keys again (option `keys` as a function). A key that is no longer in
   * the list signs nothing more, and verifies until its last token has expired.
   *
   * @throws the error of the option's check; then the keys stay as they were.
   */
  async reload(): Promise<void> {
    await this.reloading.run();
    this.logger.log('The signing keys have been read again.');
  }

  /**
   * Takes a key out of use until the process ends: it signs nothing more, and verifies until its last
   * token has expired.
   *
   * @throws AuthWiringError when no key has this kid.
   */
  async retire(kid: string): Promise<void> {
    this.ring.retire(kid);
    this.logger.log(`The key "${logText(kid)}" no longer signs.`);
  }
}
