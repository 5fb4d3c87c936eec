import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { BindingRule } from '../options/binding-option.js';
import { addressOf, networkOf } from '../platform/client-address.js';
import { deriveKey } from '../options/key-material.js';

/** How many bytes of a digest a token and a session contain. */
const BYTES = 16;

/** The derived key of each signing key, so that HKDF does not run at each request. */
const KEYS = new WeakMap<KeyObject, Buffer>();

/** Whether a token is bound to the whole address or to its network. */
export type AddressKind = Exclude<BindingRule['ip'], 'off'>;

/** The address of a client, and whether the tokens are bound to all of it or to its network. */
export interface BoundAddress {
  readonly kind: AddressKind;
  readonly ip: string;
}

/** The part of an address to which a token is bound; `null` for text that is not an address. */
export function boundPartOf(ip: string, kind: AddressKind): string | null {
  return kind === 'exact' ? addressOf(ip) : networkOf(ip, 3, 4);
}

/**
 * The digest of an address that a token and a session contain. It is keyed (HMAC-SHA256), because there are
 * so few addresses that anyone could find the one of a plain hash by trying all of them.
 *
 * @param key - The secret half of the key that signs the token. No other key is needed: as long as the token
 * is valid, its signing key is in the ring.
 */
export function addressDigest(part: string, kind: AddressKind, key: KeyObject): Buffer {
  let derived = KEYS.get(key);
  if (derived === undefined) KEYS.set(key, (derived = deriveKey(key, 'client-address')));
  return createHmac('sha256', derived).update(`${kind}:${part}`).digest().subarray(0, BYTES);
}

/** Whether the digest was made from this address, as one of `kinds`. The comparison takes constant time. */
export function isDigestOf(
  ip: string,
  digest: Buffer,
  key: KeyObject,
  kinds: readonly AddressKind[] = ['exact', 'network'],
): boolean {
  return kinds.some((kind) => {
    const part = boundPartOf(ip, kind);
    if (part === null || digest.length !== BYTES) return false;
    return timingSafeEqual(digest, addressDigest(part, kind, key));
  });
}

/**
 * The address to which a login or a refresh binds its tokens; `undefined` if the rule binds to none.
 *
 * @throws AuthException 401 `binding_mismatch` if the rule needs an address and none is known.
 */
export function boundAddressBy(
  { ip: kind }: BindingRule,
  ip: string | undefined,
): BoundAddress | undefined {
  if (kind === 'off') return undefined;
  if (ip === undefined || networkOf(ip, 4, 8) === null) throw addressMismatch(true);
  return { kind, ip };
}

/** The 401 for a client with another address, or with an unknown one. */
export function addressMismatch(isUnknown: boolean): AuthException {
  const message = isUnknown
    ? 'The token is bound to the address of its client, which is not known here.'
    : 'The token is bound to another address.';
  return refusal('binding_mismatch', { message });
}
