import { createHmac, type KeyObject } from 'node:crypto';
import type { AuthClock } from '../platform/auth-clock.js';
import { deriveKey } from '../platform/derived-key.js';

/** How long one nonce is the newest (ms); it is accepted for as long again. */
const PERIOD = 300_000;

/**
 * The nonces that proofs must contain (RFC 9449 section 8). They follow from the time and the keys of the ring,
 * so each instance accepts those of every other, and none is stored.
 */
export class DpopNonces {
  /** @param keys - The one that signs now comes first. */
  constructor(
    private readonly keys: () => readonly KeyObject[],
    private readonly clock: Pick<AuthClock, 'wall'>,
  ) {}

  /** The newest one; `undefined` while the ring has no secret. */
  newest(): string | undefined {
    const [key] = this.keys();
    return key && nonceOf(key, this.period());
  }

  accepts(nonce: unknown): boolean {
    const now = this.period();
    // The next one too: the clock of another instance may be ahead.
    const periods = [now, now - 1, now + 1];
    return this.keys().some((key) => periods.some((period) => nonce === nonceOf(key, period)));
  }

  private period(): number {
    return Math.floor(this.clock.wall() / PERIOD);
  }
}

function nonceOf(key: KeyObject, period: number): string {
  const digest = createHmac('sha256', deriveKey(key, 'dpop-nonce')).update(String(period)).digest();
  return digest.subarray(0, 16).toString('base64url');
}
