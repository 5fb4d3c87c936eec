import { randomInt } from 'node:crypto';
import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';
import { withinTime } from '../../platform/async-calls.js';

/** What one instance tells the others: how far it has written the log. */
export interface HintMessage {
  /** Who tells it, so that an echo is known as one. */
  readonly instance: string;
  readonly position: number;
}

const FORM = /^([0-9a-f]{16}):(0|[1-9]\d{0,15})$/;

/** The text of a message; {@link readHint} backwards. */
export function writeHint({ instance, position }: HintMessage): string {
  return `${instance}:${position}`;
}

/** `undefined` for whatever is not exactly of the form: anybody may write to the channel. */
export function readHint(payload: unknown): HintMessage | undefined {
  // By its length first: a channel may carry megabytes.
  if (typeof payload !== 'string' || payload.length > 33) return undefined;
  const [, instance, digits] = FORM.exec(payload) ?? [];
  if (instance === undefined) return undefined;
  const position = Number(digits);
  return Number.isSafeInteger(position) ? { instance, position } : undefined;
}

/** For how long one message may be on its way before it counts as failed (ms). */
const TELL_LIMIT = 3_000;

/** Sends through one connection: one message at a time, and after it the latest that came meanwhile. */
export class HintSender {
  private sending: Promise<void> | undefined;
  private next: string | undefined;

  constructor(
    private readonly send: (payload: string) => Promise<void>,
    /** Told of each message that could not be sent, and of the first that could again. */
    private readonly outcome: (error: unknown) => void,
  ) {}

  tell(payload: string): void {
    this.next = payload;
    this.sending ??= this.run();
  }

  /** Resolves when nothing is on its way. */
  async drain(): Promise<void> {
    await this.sending;
  }

  private async run(): Promise<void> {
    for (let payload = this.next; payload !== undefined; payload = this.next) {
      this.next = undefined;
      try {
        const limit = `It was not sent within ${TELL_LIMIT / 1000} s.`;
        await withinTime(this.send(payload), TELL_LIMIT, limit);
        this.outcome(undefined);
      } catch (error) {
        this.outcome(error);
      }
    }
    this.sending = undefined;
  }
}

/** Hinted polls are at least this far apart (ms), and differently far on each instance. */
const SPACING = { from: 20, to: 50 } as const;

/**
 * Turns hints into polls: the first after quiet at once, those that follow closely into one more poll.
 * However many arrive, they never cause more than one poll in each spacing.
 */
export class HintPacer {
  private quietFrom = -Infinity;
  private cancel: CancelSchedule | undefined;

  /** @param poll - Asks for a poll; while one is in flight, for another after it. */
  constructor(
    private readonly clock: AuthClock,
    private readonly poll: () => void,
  ) {}

  /** Something was committed that this instance has not applied. */
  hint(): void {
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
