import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { BindingRule } from '../options/binding-option.js';
import { addressOf, networkOf } from '../platform/client-address.js';
import { deriveKey } from '../platform/derived-key.js';

/** So many bytes of a digest are kept. */
const BYTES = 16;

const KEYS = new WeakMap<KeyObject, Buffer>();

/** What an address is bound by: itself, or its network. */
export type AddressKind = Exclude<BindingRule['ip'], 'off'>;

/** What a rule says of an address: the address itself or its network; `null` for what is no address. */
export function boundPartOf(ip: string, kind: AddressKind): string | null {
  return kind === 'exact' ? addressOf(ip) : networkOf(ip, 3, 4);
}

/**
 * What is kept of an address. There are so few addresses that anyone could try them all against a digest
 * without a key.
 *
 * @param key - The secret half of the key that signs the token: it is there as long as the token is good.
 */
export function addressDigest(part: string, kind: AddressKind, key: KeyObject): Buffer {
  let derived = KEYS.get(key);
  if (derived === undefined) KEYS.set(key, (derived = deriveKey(key, 'client-address')));
  return createHmac('sha256', derived).update(`${kind}:${part}`).digest().subarray(0, BYTES);
}

/** Whether a digest is that of the address, of whichever kind. */
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
