import type { AuthCounts } from '../events/auth-meter.service.js';
import type { MetricDefinition } from './metric.js';

/**
 * A count of the meter by its labels. Those that are known beforehand begin at 0: Prometheus sees no
 * increase in a series that begins with its first event.
 */
function counter<Name extends keyof AuthCounts>(
  name: string,
  help: string,
  label: string,
  count: Name,
  known: readonly AuthCounts[Name][],
): MetricDefinition {
  return {
    name,
    help,
    label,
    read: ({ meter }) => new Map([...known.map((one) => [one, 0] as const), ...meter.read(count)]),
  };
}

const SCOPES = ['token', 'session', 'subject', 'key', 'issuer'] as const;

/** What only grows, since the start of the process. */
export const COUNTERS: readonly MetricDefinition[] = [
  counter('refusals_total', 'Refusals (4xx) by code.', 'code', 'refusals', [
    'token_missing',
    'token_invalid',
    'token_expired',
    'token_revoked',
    'session_ended',
    'credentials_invalid',
    'refresh_token_reused',
  ]),
  counter('unavailable_total', '503s by code.', 'code', 'unavailable', [
    'revocation_state_unknown',
    'storage_unavailable',
    'no_signing_key',
  ]),
  counter(
    'stale_accepted_total',
    'Requests let through without a fresh proof, by the policy that allowed it.',
    'policy',
    'staleAccepted',
    ['open', 'stale_for', 'override', 'observe'],
  ),
  counter('polls_total', 'Rounds of the feed by outcome.', 'outcome', 'polls', ['ok', 'failed']),
  counter('loads_total', 'Complete readings of the log by cause.', 'cause', 'loads', [
    'start',
    'purge',
    'fork',
  ]),
  {
    name: 'forks_total',
    help: 'How often the log turned out to have another history than the one that was followed.',
    read: ({ meter }) => meter.read('histories').get('fork') ?? 0,
  },
  {
    name: 'jumps_total',
    help: 'Jumps over positions that a lost history may have handed out.',
    read: ({ meter }) => meter.read('histories').get('jump') ?? 0,
  },
  counter(
    'revocations_total',
    'Revocations committed by this instance, by how much each ends.',
    'scope',
    'revocations',
    SCOPES,
  ),
  counter(
    'revocation_failures_total',
    'Revocations whose caller was told that they could not be stored.',
    'scope',
    'revocationFailures',
    SCOPES,
  ),
  counter(
    'batches_total',
    'Transactions in which this instance committed revocations.',
    'kind',
    'batches',
    ['shared', 'account'],
  ),
  counter('purges_total', 'Runs of the purge by outcome.', 'outcome', 'purges', [
    'done',
    'elsewhere',
    'clocks',
    'failed',
  ]),
  counter('purged_rows_total', 'Rows deleted by the purge.', 'table', 'purgedRows', [
    'log',
    'sessions',
  ]),
  counter('hints_total', 'Hints to and from other instances.', 'outcome', 'hints', [
    'told',
    'heard',
    'failed',
  ]),
];
