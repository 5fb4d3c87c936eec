import { constants, createHmac, sign } from 'node:crypto';
import type { AuthKey } from './internals.js';

/**
 * Signs texts that no signing library would sign, for the boot self-test and nothing else.
 *
 * @returns a token whose signature is valid and whose content need not be.
 */
export function signRaw(
  key: AuthKey & { readonly sign: NonNullable<AuthKey['sign']> },
  header: string,
  payload: string,
): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const hash = `sha${key.alg.slice(2)}`;
  if (key.alg.startsWith('HS')) {
    return `${input}.${createHmac(hash, key.sign).update(input).digest('base64url')}`;
  }
  const padding = key.alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  const signature = sign(hash, Buffer.from(input), {
    key: key.sign,
    dsaEncoding: 'ieee-p1363',
    ...padding,
  });
  return `${input}.${signature.toString('base64url')}`;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}
