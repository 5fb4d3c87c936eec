import type { RevocationStatus } from '../revocation/revocation.service.js';
import { LEASE_SHARE } from '../revocation/staleness/proof-clock.js';
import type { MetricDefinition, Observed } from './metric.js';

/** A bound of a year or more (ms) counts as none, because no token is valid for that long. */
const NO_BOUND = 365 * 86_400_000;

const HINT_STATES = ['off', 'connecting', 'listening', 'polling only'] as const;

/** The gauges. Times are in seconds, sizes in bytes. */
export const GAUGES: readonly MetricDefinition[] = [
  {
    name: 'ready',
    help: 'Whether the first complete load is done (1) or not yet (0).',
    read: ({ feed }) => Number(feed.ready),
  },
  {
    name: 'following',
    help: 'Whether this process follows the log (1), or only writes it (0; option follow).',
    read: (of) => Number(statusOf(of).following ?? true),
  },
  {
    name: 'contradicted',
    help: 'Whether the log contradicts what is known here, and no proof came since (1).',
    read: (of) => Number(statusOf(of).contradicted ?? false),
  },
  {
    name: 'staleness_seconds',
    help: 'Seconds since the last proof of freshness; +Inf while there is none.',
    read: ({ proofs }) => proofs.age() / 1000,
  },
  {
    name: 'lease_seconds',
    help: 'For how long a proof allows accepting on this instance.',
    read: ({ options }) => (options.maxStaleness * LEASE_SHARE) / 1000,
  },
  {
    name: 'bound_seconds',
    help: 'Within what time a logout holds on every instance; +Inf while a policy leaves it open.',
    read: ({ log }) => (log.knownBound < NO_BOUND ? log.knownBound / 1000 : Infinity),
  },
  {
    name: 'position',
    help: 'The last position of the log that was applied here.',
    read: ({ cursor }) => cursor.position,
  },
  {
    name: 'lag',
    help: 'By how many positions the head of the log is known to be further.',
    read: ({ cursor }) => cursor.lag,
  },
  {
    name: 'index_entries',
    help: 'Live revocations in memory.',
    label: 'kind',
    read: ({ index }) => Object.entries(index.stats().byKind),
  },
  {
    name: 'index_bytes',
    help: 'The memory they use.',
    read: ({ index }) => index.stats().bytes,
  },
  {
    name: 'remembered_tokens',
    help: 'Tokens that were verified and are remembered.',
    read: ({ verified }) => verified.byTail.size,
  },
  {
    name: 'remembered_tokens_bytes',
    help: 'The memory they use, estimated.',
    read: ({ verified }) => verified.bytes,
  },
  {
    name: 'live_tokens',
    help: 'Tokens that are watched: those of open sockets, streams and subscriptions.',
    read: ({ meter }) => meter.watched,
  },
  {
    name: 'hint_state',
    help: 'Whether push notifications of other instances arrive: 1 for the current state.',
    label: 'state',
    read: (of) => flags(HINT_STATES, [statusOf(of).hint ?? 'off']),
  },
  {
    name: 'policies_in_force',
    help: 'What allows requests without a fresh proof: 1 for each policy in force for the whole instance.',
    label: 'policy',
    read: (of) => flags(['open', 'stale_for', 'override', 'observe'], policiesOf(statusOf(of))),
  },
  {
    name: 'events_lost',
    help: 'Known live events that the last change of the history had lost; they go on counting here.',
    read: ({ meter }) => meter.eventsLost,
  },
  {
    name: 'pending_unnumbered',
    help: 'Pending revocations that the database refuses to number; they go on counting.',
    read: ({ meter }) => meter.pendingUnnumbered,
  },
  {
    name: 'clock_ahead_seconds',
    help: 'By how much the clock of this host is ahead of the database; beyond 60 nothing is purged.',
    read: ({ meter }) => meter.clockAhead / 1000,
  },
  {
    name: 'unsettled_writes',
    help: 'In-doubt commits: revocations whose COMMIT was not answered and whose outcome is not known yet.',
    read: ({ log }) => log.inDoubt.size,
  },
];

function statusOf({ revocation }: Observed): RevocationStatus {
  return revocation.status();
}

/**
 * The policies of the module and of an operator. Policies of single routes (`@WhenStale()`) are not listed;
 * they widen the metric `bound_seconds`.
 */
function policiesOf({ whenStale, override, observingUntil }: RevocationStatus): string[] {
  const inForce = [];
  if (whenStale === 'open') inForce.push('open');
  else if (typeof whenStale === 'object') inForce.push('stale_for');
  if (override) inForce.push('override');
  if (observingUntil) inForce.push('observe');
  return inForce;
}

function flags(names: readonly string[], set: readonly string[]): [name: string, flag: number][] {
  return names.map((name) => [name, Number(set.includes(name))]);
}
