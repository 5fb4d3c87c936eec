import type { StalePolicy } from '../options/stale-policy.js';
import type { HintState } from './push/revocation-hint.js';
import type { OverrideStatus } from './staleness/staleness-override.service.js';

/** What this instance knows, for a health check. */
export interface RevocationStatus {
  /** Whether the first complete load is done; before it every guarded request gets 503. */
  readonly ready: boolean;
  /** Whether a request would be decided now, without waiting. */
  readonly fresh: boolean;
  /** Seconds since the last proof of freshness; `null` while there is none. */
  readonly staleness: number | null;
  /** The last position of the log that was applied here. */
  readonly position: number;
  /** Live revocations in memory. */
  readonly entries: number;
  /** `false`: a process that only writes (option `follow`); its guards answer 503, always. */
  readonly following: boolean;
  /**
   * Whether the log contradicted what is known here, or is one that this release cannot read: until the
   * next proof every guarded request gets 503, whatever a failure policy says.
   */
  readonly contradicted: boolean;
  /** The module's failure policy; in seconds where it has an end. */
  readonly whenStale: StalePolicy;
  /** What an operator loosened on this instance, or `null`. */
  readonly override: OverrideStatus | null;
  /** Until when revocations are only observed, not enforced; `null` when they are. */
  readonly observingUntil: Date | null;
  /** Whether hints arrive here; see {@link HintState}. */
  readonly hint: HintState;
}
