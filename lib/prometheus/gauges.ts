import { LEASE_SHARE } from '../revocation/feed/proof-clock.js';
import type { MetricDefinition } from './metric.js';

/** What goes up and down. Times in seconds, sizes in bytes. */
export const GAUGES: readonly MetricDefinition[] = [
  {
    name: 'ready',
    help: 'Whether the first complete load is done (1) or not yet (0).',
    read: ({ feed }) => Number(feed.ready),
  },
  {
    name: 'staleness_seconds',
    help: 'Seconds since the last proof of freshness; +Inf while there is none.',
    read: ({ feed }) => feed.staleness / 1000,
  },
  {
    name: 'lease_seconds',
    help: 'For how long a proof allows accepting on this instance.',
    read: ({ options }) => (options.maxStaleness * LEASE_SHARE) / 1000,
  },
  {
    name: 'bound_seconds',
    help: 'Within what time a logout holds on every instance; +Inf while a policy leaves it open.',
    read: ({ feed }) => feed.bound / 1000,
  },
  {
    name: 'position',
    help: 'The last position of the log that was applied here.',
    read: ({ feed }) => feed.position,
  },
  {
    name: 'lag',
    help: 'By how many positions the head of the log is known to be further.',
    read: ({ feed }) => feed.lag,
  },
  {
    name: 'index_entries',
    help: 'Live revocations in memory.',
    label: 'kind',
    read: ({ index }) => Object.entries(index.stats().byKind),
  },
  {
    name: 'index_bytes',
    help: 'What they cost in memory.',
    read: ({ index }) => index.stats().bytes,
  },
  {
    name: 'events_lost',
    help: 'Known live events that the last change of the history had lost; they go on counting here.',
    read: ({ meter }) => meter.level('eventsLost'),
  },
  {
    name: 'pending_unnumbered',
    help: 'Pending revocations that the database refuses to number; they go on counting.',
    read: ({ meter }) => meter.level('pendingUnnumbered'),
  },
  {
    name: 'unsettled_writes',
    help: 'Revocations whose COMMIT was not answered and of which it is not known yet whether they count.',
    read: ({ provisional }) => provisional.size,
  },
];
