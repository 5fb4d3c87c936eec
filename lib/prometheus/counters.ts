import type { AuthMeter } from '../events/auth-meter.service.js';
import type { MetricDefinition } from './metric.js';

/** The counters since the start of the process. A counter with a label has one series for each value. */
export const COUNTERS: readonly MetricDefinition[] = [
  counter(
    'refusals_total',
    'code',
    'Refusals (4xx) by code, of guards, routes, handlers and calls of services, each counted once.',
    (meter) => meter.refusals,
  ),
  counter(
    'unavailable_total',
    'code',
    '503s by code, counted alike.',
    (meter) => meter.unavailable,
  ),
  counter(
    'stale_accepted_total',
    'policy',
    'Requests accepted without a fresh proof, by the policy that allowed it.',
    (meter) => meter.staleAccepted,
  ),
  counter(
    'live_ended_total',
    'code',
    'Watched tokens (sockets, streams, subscriptions) that ended, by code.',
    (meter) => meter.liveEnded,
  ),
  counter('polls_total', 'outcome', 'Rounds of the feed by outcome.', (meter) => meter.polls),
  counter('loads_total', 'cause', 'Complete readings of the log by cause.', (meter) => meter.loads),
  {
    name: 'token_verifications_total',
    help: 'Access tokens with a good signature, by how it was known: it was verified, or it is remembered.',
    label: 'by',
    read: ({ verified }) => [
      ['memory', verified.found],
      ['signature', verified.verified],
    ],
  },
  {
    name: 'forks_total',
    help: 'How often the log turned out to have another history than the one that was followed.',
    read: ({ meter }) => meter.histories.fork,
  },
  {
    name: 'jumps_total',
    help: 'Jumps over positions that a lost history may have used.',
    read: ({ meter }) => meter.histories.jump,
  },
  counter(
    'revocations_total',
    'scope',
    'Revocations committed by this instance, by how much each ends.',
    (meter) => meter.revocations,
  ),
  counter(
    'revocation_failures_total',
    'scope',
    'Revocations that failed because they could not be stored.',
    (meter) => meter.revocationFailures,
  ),
  counter(
    'batches_total',
    'kind',
    'Transactions in which this instance committed revocations.',
    (meter) => meter.batches,
  ),
  counter('purges_total', 'outcome', 'Runs of the purge by outcome.', (meter) => meter.purges),
  counter('purged_rows_total', 'table', 'Rows deleted by the purge.', (meter) => meter.purgedRows),
  counter(
    'hints_total',
    'outcome',
    'Push notifications to and from other instances.',
    (meter) => meter.hints,
  ),
];

function counter(
  name: string,
  label: string,
  help: string,
  countsOf: (meter: AuthMeter) => Readonly<Record<string, number>>,
): MetricDefinition {
  return { name, help, label, read: ({ meter }) => Object.entries(countsOf(meter)) };
}
