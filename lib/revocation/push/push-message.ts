import { randomInt } from 'node:crypto';
import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';

/** A push notification: how far an instance has written the log. */
export interface PushMessage {
  /** The sender, so that it recognises its own message. */
  readonly instance: string;
  readonly position: number;
}

const FORM = /^([0-9a-f]{16}):(0|[1-9]\d{0,15})$/;

/** The text of a message, as {@link readMessage} parses it. */
export function writeMessage({ instance, position }: PushMessage): string {
  return `${instance}:${position}`;
}

/** `undefined` for any other text: anyone may write to the channel. */
export function readMessage(payload: unknown): PushMessage | undefined {
  // The length first: a channel may carry megabytes.
  if (typeof payload !== 'string' || payload.length > 33) return undefined;
  const [, instance, digits] = FORM.exec(payload) ?? [];
  if (instance === undefined) return undefined;
  const position = Number(digits);
  return Number.isSafeInteger(position) ? { instance, position } : undefined;
}

/** Polls that follow notifications are at least so far apart (ms), differently on each instance. */
const SPACING = { from: 20, to: 50 } as const;

/**
 * Turns notifications into polls: the first after a quiet time at once, all that follow closely into one
 * more. However many arrive, there is at most one poll in each spacing.
 */
export class WakeUpPacer {
  private quietFrom = -Infinity;
  private cancel: CancelSchedule | undefined;

  /** @param poll - Asks for a poll; while one is in flight, for another after it. */
  constructor(
    private readonly clock: AuthClock,
    private readonly poll: () => void,
  ) {}

  /** Another instance committed something that this one has not applied. */
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
