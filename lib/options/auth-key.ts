import type { KeyObject } from 'node:crypto';

/**
 * An HMAC secret: a string (read as UTF-8), bytes, or `createSecretKey(…)`.
 *
 * It must be at least as long as the hash: 32, 48 or 64 bytes for HS256, HS384 and HS512 (RFC 7518 section
 * 3.2). It must be random, because anyone who has one token can guess a password offline.
 *
 * @publicApi
 */
export type SecretMaterial = string | Uint8Array | KeyObject;

/**
 * One half of a key pair: a PEM string, the bytes of a PEM file, or a `KeyObject`.
 *
 * For a JWK, DER or an encrypted PEM, call `createPrivateKey()` or `createPublicKey()` of `node:crypto` and
 * pass the `KeyObject`. The library does not guess the format.
 *
 * @publicApi
 */
export type KeyMaterial = string | Uint8Array | KeyObject;

/**
 * A shared secret and its one algorithm. It signs and verifies.
 *
 * Every instance that can verify with it can also sign. A list cannot contain both secrets and key pairs
 * (RFC 8725 section 3.1: algorithm confusion).
 *
 * @example
 * ```ts
 * const key: SecretKeyOptions = { kid: '2026-10', alg: 'HS256', secret: randomBytes(32) };
 * ```
 * @publicApi
 */
export interface SecretKeyOptions {
  /**
   * The key's id in the token header and for `revokeKey()`, 1 to 128 characters.
   *
   * @default for a secret: the first 16 hex digits of HMAC-SHA256(secret, 'nestjs-logout/kid')
   */
  kid?: string | undefined;
  /** The one algorithm of the key. */
  alg: 'HS256' | 'HS384' | 'HS512';
  /**
   * The secret: for HS256, HS384 and HS512 at least 32, 48 and 64 random bytes.
   *
   * @default one of `secret`, `privateKey` and `publicKey` is required
   */
  secret: SecretMaterial;
  /**
   * Set `'verify'` for an older key that no longer signs.
   *
   * @default 'sign'; `'verify'` for a public key
   */
  use?: 'sign' | 'verify' | undefined;
}

/** The algorithms of key pairs. EdDSA is not among them, because jsonwebtoken cannot verify it. @publicApi */
export type KeyPairAlgorithm =
  'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384';

/**
 * A private key and its one algorithm. It signs, and its public half verifies.
 *
 * RSA keys have at least 2048 bits (RFC 7518 sections 3.3 and 3.5); ES256 takes a P-256 key, ES384
 * a P-384 key (section 3.4).
 *
 * @example
 * ```ts
 * const key: PrivateKeyOptions = { kid: 'a', alg: 'ES256', privateKey: readFileSync('a.pem') };
 * ```
 * @publicApi
 */
export interface PrivateKeyOptions {
  /** The key's id in the token header and for `revokeKey()`, 1 to 128 characters. */
  kid: string;
  /** The one algorithm of the key. */
  alg: KeyPairAlgorithm;
  /**
   * The private half, which signs. Its public half verifies.
   *
   * @default one of `secret`, `privateKey` and `publicKey` is required
   */
  privateKey: KeyMaterial;
  /**
   * Set `'verify'` for an older key that no longer signs.
   *
   * @default 'sign'
   */
  use?: 'sign' | 'verify' | undefined;
}

/**
 * A public key and its one algorithm. It only verifies. The limits are those of {@link PrivateKeyOptions}.
 *
 * An attacker who breaks into an instance that has only public keys cannot sign a token.
 *
 * @example
 * ```ts
 * const key: PublicKeyOptions = { kid: 'a', alg: 'ES256', publicKey: readFileSync('a.pub.pem') };
 * ```
 * @publicApi
 */
export interface PublicKeyOptions {
  /** The key's id, exactly as it is in the header of the tokens. */
  kid: string;
  /** The one algorithm of the key. */
  alg: KeyPairAlgorithm;
  /**
   * The public half, which only verifies.
   *
   * @default one of `secret`, `privateKey` and `publicKey` is required
   */
  publicKey: KeyMaterial;
  /**
   * A public key only verifies.
   *
   * @default 'verify'
   */
  use?: 'verify' | undefined;
}

/** One entry of `keys`: exactly one of `secret`, `privateKey`, `publicKey`. @publicApi */
export type AuthKeyOptions = SecretKeyOptions | PrivateKeyOptions | PublicKeyOptions;

/**
 * The option `keys`: a list, or a function that fetches it, for example from a vault. The function is
 * called at boot and by `KeyService.reload()`. If it throws at boot, the boot stops. If it throws later, the
 * instance continues with its current keys.
 *
 * @publicApi
 */
export type AuthKeySource =
  | readonly AuthKeyOptions[]
  | (() => readonly AuthKeyOptions[] | Promise<readonly AuthKeyOptions[]>);

/** The JWS algorithms that can be used; each key is bound to exactly one (RFC 8725 section 3.1). */
export const SIGNING_ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
] as const;

/** The algorithm of a key: HMAC (`HS…`), RSA (`RS…`, `PS…`) or ECDSA (`ES…`). @publicApi */
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/**
 * A key of the ring: parsed once, with its one algorithm. It is always a `KeyObject`, because `jsonwebtoken`
 * parses a string again for each token, which takes much longer than the signature.
 */
export interface AuthKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** Verifies: a secret or a public key. */
  readonly verify: KeyObject;
  /** Signs: a secret or a private key; `null` for a key that only verifies. */
  readonly sign: KeyObject | null;
  /** The secret or the private key, even if the key no longer signs; `null` for a public key. */
  readonly secretHalf: KeyObject | null;
}
