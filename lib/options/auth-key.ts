import type { KeyObject } from 'node:crypto';

/**
 * The bytes of an HMAC secret: a text (taken as UTF-8), bytes, or `createSecretKey(…)`.
 *
 * At least as long as the hash: 32, 48 or 64 bytes for HS256, HS384, HS512 (RFC 7518 section 3.2).
 * It must be random; a password can be guessed offline from any one token.
 *
 * @publicApi
 */
export type SecretMaterial = string | Uint8Array | KeyObject;

/**
 * One half of a key pair: PEM text, the bytes of PEM text, or a `KeyObject`.
 *
 * For a JWK, DER or an encrypted PEM, call `createPrivateKey()` or `createPublicKey()` of
 * `node:crypto` and give the `KeyObject`: the library never guesses what the material is.
 *
 * @publicApi
 */
export type KeyMaterial = string | Uint8Array | KeyObject;

/**
 * A shared secret with its one algorithm: signs, and verifies.
 *
 * Anyone who can verify with it can also sign, so every instance that has it is trusted fully. Secrets
 * and key pairs cannot be in one list (RFC 8725 section 3.1: algorithm confusion).
 *
 * @example
 * ```ts
 * const key: SecretKeyOptions = { kid: '2026-10', alg: 'HS256', secret: randomBytes(32) };
 * ```
 * @publicApi
 */
export interface SecretKeyOptions {
  /**
   * The key's name in the token header and for `revokeKey()`, 1 to 128 characters.
   *
   * @default the first 16 hex digits of HMAC-SHA256(secret, 'nestjs-logout/kid')
   */
  kid?: string | undefined;
  /** The one algorithm of the key. */
  alg: 'HS256' | 'HS384' | 'HS512';
  /** The secret: for HS256, HS384 and HS512 at least 32, 48 and 64 random bytes. */
  secret: SecretMaterial;
  /**
   * `'verify'` is for an older key that no longer signs.
   *
   * @default 'sign'; `'verify'` for a public key
   */
  use?: 'sign' | 'verify' | undefined;
}

/** The algorithms of key pairs. EdDSA is missing because jsonwebtoken cannot verify it. */
export type KeyPairAlgorithm =
  'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384';

/**
 * A private key with its one algorithm: signs, and its public half verifies.
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
  /** The key's name in the token header and for `revokeKey()`, 1 to 128 characters. */
  kid: string;
  /** The one algorithm of the key. */
  alg: KeyPairAlgorithm;
  /** The private half, which signs; its public half verifies. */
  privateKey: KeyMaterial;
  /**
   * `'verify'` is for an older key that no longer signs.
   *
   * @default 'sign'
   */
  use?: 'sign' | 'verify' | undefined;
}

/**
 * A public key with its one algorithm: only verifies, the same limits as for the private half.
 *
 * An instance that holds only public keys cannot issue a token, whoever breaks into it.
 *
 * @example
 * ```ts
 * const key: PublicKeyOptions = { kid: 'a', alg: 'ES256', publicKey: readFileSync('a.pub.pem') };
 * ```
 * @publicApi
 */
export interface PublicKeyOptions {
  /** The key's name, looked up exactly as it is in the token's header. */
  kid: string;
  /** The one algorithm of the key. */
  alg: KeyPairAlgorithm;
  /** The public half, which only verifies. */
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
 * What `keys` takes: the list, or a function that fetches it (from a vault, say), called at boot
 * and again by `KeyService.reload()`. What it throws stops the boot, and leaves a running instance
 * with the keys that it has.
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

/** One of {@link SIGNING_ALGORITHMS}. */
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** A key as the ring holds it: parsed once, bound to one algorithm, never a string again. */
export interface AuthKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** Verifies: a secret or a public key. */
  readonly verify: KeyObject;
  /** Signs: a secret or a private key; `null` for a key that only verifies. */
  readonly sign: KeyObject | null;
  /** The secret or the private key, also of a key that signs no more; `null` for a public key. */
  readonly secretHalf: KeyObject | null;
}
