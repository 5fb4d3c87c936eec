import { randomInt } from 'node:crypto';
import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';

/** A push notification: the last position that an instance has committed. */
export interface PushMessage {
  /** A random id of the sender, by which it recognises its own messages: 16 hexadecimal digits. */
  readonly instance: string;
  readonly position: number;
}

const FORM = /^([0-9a-f]{16}):(0|[1-9]\d{0,15})$/;

/**
 * Formats a message as {@link readMessage} parses it. It contains no id of a token, a session or an
 * account, so the channel needs no encryption.
 */
export function writeMessage({ instance, position }: PushMessage): string {
  return `${instance}:${position}`;
}

/**
 * Parses a message. `undefined` for any other text, because other programs may write to the
 * channel.
 */
export function readMessage(payload: unknown): PushMessage | undefined {
  // The length is checked first, because a channel may carry megabytes.
  if (typeof payload !== 'string' || payload.length > 33) return undefined;
  const [, instance, digits] = FORM.exec(payload) ?? [];
  if (instance === undefined) return undefined;
  const position = Number(digits);
  return Number.isSafeInteger(position) ? { instance, position } : undefined;
}

/**
 * The shortest time between two polls that follow notifications (ms). It is random, so that not all
 * instances poll the database at the same moment.
 */
const SPACING = { from: 20, to: 50 } as const;

/**
 * Turns notifications into polls. The first one after a quiet time polls at once; all that follow
 * within the spacing share one more poll. However many notifications arrive, there is at most one
 * poll in each spacing.
 */
export class WakeUpPacer {
  private quietFrom = -Infinity;
  private cancel: CancelSchedule | undefined;

  /** @param poll - Requests a poll, or another one after the poll in flight. */
  constructor(
    private readonly clock: AuthClock,
    private readonly poll: () => void,
  ) {}

  /** Called when another instance has committed something that this one has not applied. */
  wakeUp(): void {
    if (this.cancel !== undefined) return;
    const wait = this.quietFrom - this.clock.monotonic();
    if (wait <= 0) this.follow();
    else this.cancel = this.clock.schedule(wait, () => this.follow());
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private follow(): void {
    this.cancel = undefined;
    this.quietFrom = this.clock.monotonic() + randomInt(SPACING.from, SPACING.to + 1);
    this.poll();
  }
}
