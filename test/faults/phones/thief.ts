import type { Random } from '../random.js';
import type { Stored } from './phone.js';

/** When a thief uses the copy. */
export type Habit =
  /** Before the phone does. */
  | 'first'
  /** Right after the phone, within the grace. */
  | 'at its heels'
  /** After the phone, when the grace is over; and so on with each token. */
  | 'in step'
  /** Hours later. */
  | 'late';

/** A thief with a copy of a phone's refresh token, but not of its key. */
export class Thief {
  readonly habit: Habit;
  token: string;
  /** Sent with the current token; a thief may make keys of its own. */
  key: string | undefined;
  private readonly hasKeys: boolean;

  constructor(
    { token }: Stored,
    private readonly random: Random,
  ) {
    this.token = token;
    this.habit = random.weighted({ first: 3, 'at its heels': 3, 'in step': 3, late: 2 });
    this.hasKeys = random.isLikely(0.5);
    this.key = this.newKey();
  }

  keep(token: string): void {
    if (token === this.token) return;
    this.token = token;
    this.key = this.newKey();
  }

  /** How long after the phone it acts (ms). */
  delay(grace: number): number {
    if (this.habit === 'late') return this.random.between(3_600_000, 36_000_000);
    if (this.habit === 'at its heels') return this.random.between(1, grace - 1);
    return grace + this.random.between(1, 5_000);
  }

  private newKey(): string | undefined {
    return this.hasKeys ? this.random.uuid() : undefined;
  }
}
