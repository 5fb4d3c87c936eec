import { AuthException } from '../errors/auth.exception.js';

/** Visible ASCII; 22 random characters of base64url hold 128 bits. */
const SHAPE = /^[\x21-\x7e]{22,255}$/;

/**
 * The key by which a client proves that its retry is a retry.
 *
 * @throws AuthException 400 `idempotency_key_invalid`. It is refused before anything is consumed: a
 * client that believes that its key counts must not find out when it needs it.
 */
export function idempotencyKeyOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && SHAPE.test(given)) return given;
  throw new AuthException(
    400,
    'idempotency_key_invalid',
    'The idempotency key is not a text of 22 to 255 visible ASCII characters. ' +
      'Make a random one, such as a UUID, and store it before the request is sent.',
    { headers: { 'Cache-Control': 'no-store' } },
  );
}
