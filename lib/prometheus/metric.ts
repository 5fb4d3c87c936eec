import type { VerifiedTokens } from '../authentication/verified-tokens.js';
import type { AuthMeter } from '../events/auth-meter.service.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { LogCursor } from '../revocation/feed/log-cursor.js';
import type { RevocationFeed } from '../revocation/feed/revocation-feed.service.js';
import type { RevocationIndex } from '../revocation/index/revocation-index.js';
import type { RevocationLog } from '../revocation/log/revocation-log.service.js';
import type { RevocationService } from '../revocation/revocation.service.js';
import type { ProofClock } from '../revocation/staleness/proof-clock.js';

/** The providers that metrics are read from. */
export interface Observed {
  readonly meter: AuthMeter;
  readonly revocation: RevocationService;
  readonly feed: RevocationFeed;
  readonly cursor: LogCursor;
  readonly proofs: ProofClock;
  readonly index: RevocationIndex;
  readonly log: RevocationLog;
  readonly verified: VerifiedTokens;
  readonly options: ResolvedAuthOptions;
}

/** One metric: its name without the prefix, and how its value is read at a scrape. */
export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  /** The name of its label; absent for a metric without labels. */
  readonly label?: string;
  /** The value, or for a metric with a label one value for each value of the label. */
  readonly read: (of: Observed) => number | Iterable<readonly [label: string, value: number]>;
}
