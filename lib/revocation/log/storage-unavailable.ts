import { AuthUnavailableException } from '../../errors/unavailable.exception.js';

/**
 * The 503 `storage_unavailable` for what was not read or written; a cause that is a 503 already stays
 * the one it is.
 */
export function storageUnavailable(message: string, cause?: unknown): AuthUnavailableException {
  return cause instanceof AuthUnavailableException
    ? cause
    : new AuthUnavailableException('storage_unavailable', message, { cause });
}
