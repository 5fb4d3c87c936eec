import { SUPPORTED_FORMAT } from '../database/entities/revocation-event.entity.js';
import { type AuthTable, integerOf } from '../database/entities/table.js';
import type { SeenInstance } from '../database/instance.statements.js';
import { PurgeStatements } from '../database/purge.statements.js';
import { PENDING_PAGE } from '../revocation/log/log.transactions.js';
import { PURGE_AGE } from '../revocation/log/revocation-purge.service.js';
import { namesOf } from './command-log.js';
import { boundText, isUnbounded, plural, spanText } from './command.js';
import { type Check, type Finding, note, wrong } from './doctor-check.js';

/**
 * A pending event that is older than this (ms) cannot be numbered: instances number such events
 * with the next poll.
 */
const PENDING_FOR = 60_000;

/**
 * An event that expired longer ago than this (ms) is not being purged: instances purge each minute.
 */
const EXPIRED_FOR = 3_600_000;

/**
 * The default of the option clockTolerance (ms). If clocks differ by more, hosts refuse valid
 * tokens.
 */
const CLOCK_TOLERANCE = 5_000;

/** The tables that `CommandLog.figures()` reads. */
const FIGURES: readonly AuthTable[] = ['auth_log', 'auth_head', 'auth_event'];

/**
 * The fixes for a log that has lost rows. A backup alone is not enough: tokens of the lost history
 * would keep positions that are assigned again.
 */
const DAMAGED = [
  'Stop every instance, restore a backup, and run nestjs-logout new-history before the first one starts.',
  'If tokens of lost logouts may not have expired: nestjs-logout revoke --everyone.',
] as const;

/** Checks that the log is complete and maintained. */
export const LOG_CHECKS: readonly Check[] = [
  {
    name: 'log rows',
    title: 'the log has its id and its head',
    needs: ['auth_log', 'auth_head'],
    async look({ log }) {
      // Each row is read on its own, because figures() joins them and fails without one.
      const lost: string[] = [];
      for (const table of ['auth_log', 'auth_head'] as const) {
        const found = await log.rows(log.operator.hasRow(table));
        if (found.length === 0) lost.push(table);
      }
      if (lost.length === 0) return undefined;
      return wrong(
        `${lost.join(' and ')} has lost its row: nothing can be logged out, and every instance answers 503.`,
        ...DAMAGED,
        'If the tables were emptied on purpose, and no earlier token is still valid: drop them, and nestjs-logout migrate creates a new log.',
      );
    },
  },
  {
    name: 'format',
    title: 'this release understands the log',
    needs: FIGURES,
    async look({ log }) {
      const { format } = await log.figures();
      if (format <= SUPPORTED_FORMAT) return undefined;
      return wrong(
        `The log has format ${format}; this release understands ${SUPPORTED_FORMAT}. Instances of it refuse to boot.`,
        'Update nestjs-logout here, and in every instance.',
      );
    },
  },
  {
    name: 'head',
    title: 'the head is at the last event',
    needs: FIGURES,
    async look({ log }) {
      // Both are read in one snapshot, so a write in between is not reported.
      const { position, lastEventId, lastPosition, lastEvent } = await log.figures();
      if (position === lastPosition && lastEventId === lastEvent) return undefined;
      return wrong(
        position === lastPosition
          ? `The head has another event than the one at position ${position}: the log is damaged, and instances answer 503.`
          : `The head is at ${position}, and the last event at ${lastPosition}: the log is damaged, and instances answer 503.`,
        ...DAMAGED,
      );
    },
  },
  {
    name: 'gaps',
    title: 'no event is missing above what was purged',
    needs: ['auth_head', 'auth_event'],
    async look({ log }) {
      const [row] = await log.rows(log.operator.gaps());
      if (row === undefined) return 'auth_head has no row';
      // Each deletion raises `purged_through` (X2). So every position above it has an event.
      const missing = integerOf(row['wanted']) - integerOf(row['found']);
      if (missing === 0) return undefined;
      return wrong(
        `${plural(missing, 'event')} above position ${row['purged_through']} ${missing === 1 ? 'is' : 'are'} gone, and not by the purge: logouts are lost, and an instance that starts does not know them.`,
        ...DAMAGED,
      );
    },
  },
  {
    name: 'pending',
    title: 'events of committed transactions get their positions',
    needs: ['auth_pending', ...FIGURES],
    async look({ log, running }) {
      const { now } = await log.figures();
      const waiting = await log.rows(log.statements.listPending(PENDING_PAGE));
      // An id starts with the time at which it was made, in milliseconds (UUIDv7).
      const times = waiting.map((row) => Number.parseInt((row['event_id'] ?? '').slice(0, 12), 16));
      const old = times.filter((time) => now - time > PENDING_FOR);
      if (old.length === 0) return undefined;
      return wrong(
        `${plural(old.length, 'pending event')} without a position for more than a minute, the oldest for ${spanText(now - Math.min(...old))}. They already revoke their tokens, but no instance gives them a position.`,
        running.length === 0
          ? 'No instance is running. The first one that starts gives them positions.'
          : 'Look in the instances’ logs for "could not be numbered", which says why.',
      );
    },
  },
  {
    name: 'purge',
    title: 'expired events are purged',
    needs: FIGURES,
    async look({ log, running }) {
      const late = (await log.figures()).now - EXPIRED_FOR;
      // The search of the purge, one hour in the past: it also skips events that are too young to delete (X1).
      const expired = new PurgeStatements(log.database.dialect);
      const { length } = await log.rows(expired.findExpired(late, late - PURGE_AGE, PENDING_PAGE));
      if (length === 0) return undefined;
      const many = length === PENDING_PAGE ? `${length} events or more` : plural(length, 'event');
      return wrong(
        `${many} expired more than an hour ago and no instance purges them; the table grows.`,
        'nestjs-logout purge deletes them now.',
        running.length === 0
          ? 'Instances purge each minute; none is running.'
          : 'Look in the instances’ logs for "were not purged", which says why.',
      );
    },
  },
];

/** Checks that the instances agree with each other, with the head and with the database's clock. */
export const INSTANCE_CHECKS: readonly Check[] = [
  {
    name: 'clocks',
    title: 'the clocks of the hosts agree with the database’s',
    needs: FIGURES,
    async look({ log, running }) {
      const hosts = [{ label: 'this host', ...(await log.figures()) }, ...running];
      return hosts
        .filter((host) => Math.abs(host.clockAhead) > CLOCK_TOLERANCE)
        .map(({ label, clockAhead }) =>
          wrong(
            `The clock of ${label} is ${spanText(clockAhead)} ${clockAhead > 0 ? 'ahead of' : 'behind'} the database’s` +
              (clockAhead > 0
                ? ': tokens seem to expire too early there.'
                : ': its logs and its other services show wrong times.'),
            'One of the two clocks is wrong. Use NTP (chronyd or systemd-timesyncd) on both hosts.',
          ),
        );
    },
  },
  {
    name: 'bounds',
    title: 'the instances agree about maxStaleness and token lifetimes',
    needs: ['auth_instance'],
    look: ({ running }) => [
      ...differing(
        running,
        'maxStaleness',
        ({ maxStaleness }) => boundText(maxStaleness),
        'Use the same maxStaleness (and the same @WhenStale policies) everywhere: the widest one is the bound of every receipt.',
      ),
      ...differing(
        running,
        'the longest token lifetime',
        ({ maxTokenLife }) => spanText(maxTokenLife),
        'Use the same accessTokenTtl, legacy and foreign everywhere: the longest lifetime decides how long every event is kept.',
      ),
    ],
  },
  {
    name: 'releases',
    title: 'the instances run one release',
    needs: ['auth_instance'],
    look: ({ running }) =>
      differing(
        running,
        'release',
        ({ release, format }) => `${release} (format ${format})`,
        'During a deployment this is normal. If it stays, restart the older ones with the newer release.',
      ),
  },
  {
    name: 'registered bounds',
    title: 'the registered bounds belong to running instances',
    needs: ['auth_instance', ...FIGURES],
    async look({ log, running }) {
      if (running.length === 0) return 'no instance is running';
      const head = await log.figures();
      const staleness = Math.max(...running.map(({ maxStaleness }) => maxStaleness));
      const life = Math.max(...running.map(({ maxTokenLife }) => maxTokenLife));
      const findings: Finding[] = [];
      if (head.maxStaleness > staleness) {
        findings.push(
          wrong(
            `max_staleness is ${boundText(head.maxStaleness)}, raised by ${head.maxStalenessBy ?? 'an unknown instance'}; no running instance needs more than ${boundText(staleness)}. Receipts state a longer bound than necessary.`,
            `nestjs-logout lower-bound --max-staleness ${staleness / 1000}`,
          ),
        );
      }
      if (head.maxTokenLife > life) {
        findings.push(
          wrong(
            `max_token_life is ${spanText(head.maxTokenLife)}, raised by ${head.maxTokenLifeBy ?? 'an unknown instance'}; no running instance needs more than ${spanText(life)}. Events are kept for longer than needed.`,
            `nestjs-logout lower-bound --max-token-life ${life / 1000}`,
          ),
        );
      }
      return findings;
    },
  },
  {
    name: 'unbounded',
    title: 'the registered staleness has a bound',
    needs: FIGURES,
    async look({ log, running }) {
      const { maxStaleness, maxStalenessBy } = await log.figures();
      if (!isUnbounded(maxStaleness)) return undefined;
      const open = running.filter((instance) => isUnbounded(instance.maxStaleness));
      return note(
        `An unbounded staleness is registered (by ${maxStalenessBy ?? 'an unknown instance'}): receipts cannot say when all instances refuse a token.` +
          (open.length === 0 ? '' : ` Running with it: ${namesOf(open)}.`),
        'It comes from observe, or from a policy "open". If that is intended, do nothing.',
        'Otherwise remove it, restart the instances, and run nestjs-logout lower-bound.',
      );
    },
  },
];

/** One finding that lists the values, if not all instances have the same one. */
function differing(
  running: readonly SeenInstance[],
  what: string,
  of: (instance: SeenInstance) => string,
  fix: string,
): Finding[] {
  const values = [...new Set(running.map(of))];
  if (values.length < 2) return [];
  const listed = values.map((value) => {
    const them = running.filter((instance) => of(instance) === value);
    return `${value}: ${them.map(({ label }) => label).join(', ')}`;
  });
  return [wrong(`The running instances differ in ${what}: ${listed.join('; ')}.`, fix)];
}
