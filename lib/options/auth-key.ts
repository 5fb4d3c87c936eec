import type { KeyObject } from 'node:crypto';

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
