/**
 * What an instance answered to a token.
 *
 * - `accepted`: 200.
 * - `refused`: 401, the token was revoked.
 * - `unknown`: 503, the instance cannot prove that it knows enough.
 * - `silent`: no answer, or none that decides anything.
 */
export type Decision = 'accepted' | 'refused' | 'unknown' | 'silent';

/** One guarded request and its answer; times in ms by this process's clock. */
export interface Reading {
  readonly decision: Decision;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The earliest moment at which it can have been decided: not while the instance was paused. */
  readonly notBefore: number;
  /** Whether it waited in its socket while the instance was paused. */
  readonly waited: boolean;
}

export function decisionOf(status: number): Decision {
  if (status === 200) return 'accepted';
  if (status === 401) return 'refused';
  return status === 503 ? 'unknown' : 'silent';
}
