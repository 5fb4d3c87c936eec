import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { BindingRule } from '../options/binding-option.js';
import { addressOf, networkOf } from '../platform/client-address.js';
import { deriveKey } from '../options/key-material.js';

/** So many bytes of a digest are kept. */
const BYTES = 16;

const KEYS = new WeakMap<KeyObject, Buffer>();

/** What an address is bound by: itself, or its network. */
export type AddressKind = Exclude<BindingRule['ip'], 'off'>;

/** The address of a client, and what is bound of it. */
export interface BoundAddress {
  readonly kind: AddressKind;
  readonly ip: string;
}

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

/**
 * What is bound of the address of a login or a refresh.
 *
 * @throws AuthException 401 `binding_mismatch` where it is needed and not known.
 */
export function boundAddressBy(
  { ip: kind }: BindingRule,
  ip: string | undefined,
): BoundAddress | undefined {
  if (kind === 'off') return undefined;
  if (ip === undefined || networkOf(ip, 4, 8) === null) throw addressMismatch(true);
  return { kind, ip };
}

/** 401 for a client at another address. */
export function addressMismatch(isUnknown: boolean): AuthException {
  const message = isUnknown
    ? 'The token is bound to the address of its client, which is not known here.'
    : 'The token is bound to another address.';
  return refusal('binding_mismatch', { message });
}
