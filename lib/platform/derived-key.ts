import { hkdfSync, type KeyObject } from 'node:crypto';

/** A key for one purpose, from a secret or a private key: the same on every instance. */
export function deriveKey(key: KeyObject, purpose: string): Buffer {
  const bytes = key.type === 'secret' ? key.export() : key.export({ type: 'pkcs8', format: 'der' });
  return Buffer.from(hkdfSync('sha256', bytes, '', `nestjs-logout/${purpose}`, 32));
}
