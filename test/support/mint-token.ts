import { createHmac, randomUUID } from 'node:crypto';
import { secretKid } from '../../lib/options/key-material.js';

/** A secret that the quick-starts of the tests share with the tests. */
export const SHARED_SECRET = 'a secret of the tests: 32 bytes or more';

const QUICKSTART = 'nestjs-logout-quickstart';

/**
 * An access token of the quick-start, signed by the test itself: faster than a login, and free to
 * have claims that no login would have.
 */
export function mintToken(
  claims: Readonly<Record<string, unknown>> = {},
  secret = SHARED_SECRET,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: QUICKSTART,
    aud: QUICKSTART,
    sub: 'alice',
    role: 'user',
    sid: randomUUID(),
    jti: randomUUID(),
    gen: 0,
    iat: now,
    exp: now + 300,
    ...claims,
  };
  const head = { alg: 'HS256', typ: 'at+jwt', kid: secretKid(secret), ...header };
  const text = `${encode(head)}.${encode(payload)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
