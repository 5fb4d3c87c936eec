import { withinTime } from '../../platform/within-time.js';

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
