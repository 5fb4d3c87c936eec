import type { Answer } from './log-cursor.js';
import type { Moment } from '../staleness/proof-clock.js';

/** Who writes the log, as far as following it needs him. */
export interface LogWriter {
  /** Called after every accepted answer, with the moment before its statement was sent. */
  afterAnswer(answer: Answer, sent: Moment): void;
  /** Numbers pending events; asked for when there are too many for one answer. */
  numberPending(): Promise<void>;
  /** Makes the log leap beyond a position that nobody should have; see {@link RevocationFeed.hasJumpedFor}. */
  hasJumpedFor(position: number): boolean;
}
