import type { Random } from '../random.js';

/** What a phone has stored: it survives a crash. */
export interface Stored {
  readonly token: string;
  /** Made and stored before the token is first sent. */
  readonly key: string;
}

/** What happens to a request on its way. */
export type Fate =
  | 'answered'
  /** The server never saw it. */
  | 'request lost'
  /** The server has replaced the token, and the phone does not know. */
  | 'answer lost'
  /** Delivered twice at once. */
  | 'doubled'
  /** Answered, and delivered once more hours later. */
  | 'delivered again later';

const FATES: Readonly<Record<Fate, number>> = {
  answered: 70,
  'request lost': 8,
  'answer lost': 14,
  doubled: 5,
  'delivered again later': 3,
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** One honest client on a bad network; everything about it follows from a seed. */
export class Phone {
  stored: Stored;
  /** Requests that the network still holds. */
  readonly delayed: Stored[] = [];

  constructor(
    readonly subject: string,
    token: string,
    private readonly random: Random,
  ) {
    this.stored = { token, key: random.uuid() };
  }

  fate(): Fate {
    return this.random.weighted(FATES);
  }

  /** What an answer brought is stored with a key of its own, before it is sent anywhere. */
  keep(token: string): void {
    if (token === this.stored.token) return;
    this.stored = { token, key: this.random.uuid() };
  }

  /** How long until it comes back (ms): at once, when its access token has expired, or after a night. */
  pause(isAnswered: boolean): number {
    const when = isAnswered
      ? this.random.weighted({ minutes: 5, hours: 4, night: 1 })
      : this.random.weighted({ seconds: 4, minutes: 3, hours: 3, night: 1 });
    const between = (low: number, high: number): number => this.random.between(low, high);
    if (when === 'seconds') return between(SECOND, 30 * SECOND);
    if (when === 'minutes') return between(5 * MINUTE, 60 * MINUTE);
    return when === 'hours' ? between(HOUR, 8 * HOUR) : between(8 * HOUR, 30 * HOUR);
  }
}
