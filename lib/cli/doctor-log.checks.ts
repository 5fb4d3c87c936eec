import { SUPPORTED_FORMAT } from '../database/entities/revocation-event.entity.js';
import { integerOf } from '../database/entities/table.js';
import type { SeenInstance } from '../database/instance.statements.js';
import { PurgeStatements } from '../database/purge.statements.js';
import type { Row } from '../database/statement.js';
import { PENDING_PAGE, PURGE_AGE } from '../revocation/log/log.transactions.js';
import { boundText, isUnbounded, namesOf, plural, spanText } from './command-options.js';
import { type Check, type Finding, note, type Patient, wrong } from './doctor-check.js';
import { readFigures } from './log-figures.js';

/** Instances number pending events within a poll; one this old is not being numbered (ms). */
const PENDING_FOR = 60_000;

/** Instances purge each minute; an event that expired this long ago is not being purged (ms). */
const EXPIRED_FOR = 3_600_000;

const DAMAGED = [
  'Stop every instance, restore a backup, and run nestjs-logout new-history before the first one starts.',
  'If tokens of lost logouts may not have expired: nestjs-logout revoke --everyone.',
] as const;

const rows: Check = {
  name: 'log rows',
  title: 'the log has its id and its head',
  needs: ['auth_log', 'auth_head'],
  look: async ({ log }) => {
    const lost: string[] = [];
    for (const table of ['auth_log', 'auth_head'] as const) {
      const found = await log.rows(log.operator.hasRow(table));
      if (found.length === 0) lost.push(table);
    }
    if (lost.length === 0) return [];
    return [
      wrong(
        `${lost.join(' and ')} has lost its row: nothing can be logged out, and every instance answers 503.`,
        ...DAMAGED,
        'If the tables were emptied on purpose, and no earlier token is still valid: drop them, and nestjs-logout migrate creates a new log.',
      ),
    ];
  },
};

const format: Check = {
  name: 'format',
  title: 'this release understands the log',
  needs: ['auth_head'],
  look: async (patient) => {
    const head = await headRow(patient);
    if (head === undefined) return 'auth_head has no row';
    const found = integerOf(head['format']);
    if (found <= SUPPORTED_FORMAT) return [];
    return [
      wrong(
        `The log has format ${found}; this release understands ${SUPPORTED_FORMAT}. Instances of it refuse to boot.`,
        'Update nestjs-logout here, and in every instance.',
      ),
    ];
  },
};

const head: Check = {
  name: 'head',
  title: 'the head is at the last event',
  needs: ['auth_head', 'auth_event'],
  look: async (patient) => {
    const found = await headRow(patient);
    if (found === undefined) return 'auth_head has no row';
    const position = integerOf(found['head_position']);
    const last = integerOf(found['last_position']);
    if (position === last && found['head_event'] === found['last_event']) return [];
    return [
      wrong(
        position === last
          ? `The head has another event than the one at position ${position}: the log is damaged, and instances stay closed.`
          : `The head is at ${position}, and the last event at ${last}: the log is damaged, and instances stay closed.`,
        ...DAMAGED,
      ),
    ];
  },
};

const gaps: Check = {
  name: 'gaps',
  title: 'no event is missing above what was purged',
  needs: ['auth_head', 'auth_event'],
  look: async ({ log }) => {
    const [row] = await log.rows(log.operator.gaps());
    if (row === undefined) return 'auth_head has no row';
    const missing = integerOf(row['wanted']) - integerOf(row['found']);
    if (missing === 0) return [];
    return [
      wrong(
        `${plural(missing, 'event')} above position ${row['purged_through']} ${missing === 1 ? 'is' : 'are'} gone, and not by the purge: logouts are lost, and an instance that starts does not know them.`,
        ...DAMAGED,
      ),
    ];
  },
};

const pending: Check = {
  name: 'pending',
  title: 'events of committed transactions get their numbers',
  needs: ['auth_pending', 'auth_head'],
  look: async (patient) => {
    const { log, running } = patient;
    const now = integerOf((await headRow(patient))?.['now'] ?? '0');
    const waiting = await log.rows(log.statements.listPending(PENDING_PAGE));
    // An id begins with the time at which it was made (UUIDv7).
    const old = waiting.filter((row) => now - timeOf(row['event_id']) > PENDING_FOR);
    if (old.length === 0) return [];
    const oldest = Math.min(...old.map((row) => timeOf(row['event_id'])));
    return [
      wrong(
        `${plural(old.length, 'pending event')} wait for a number for more than a minute, the oldest for ${spanText(now - oldest)}. They count, but no instance numbers them.`,
        running.length === 0
          ? 'No instance is running: the first one that starts numbers them.'
          : 'Look in the instances’ logs for "could not be numbered": it says why.',
      ),
    ];
  },
};

const purge: Check = {
  name: 'purge',
  title: 'expired events are purged',
  needs: ['auth_event', 'auth_head'],
  look: async (patient): Promise<Finding[]> => {
    const { log, running } = patient;
    const now = integerOf((await headRow(patient))?.['now'] ?? '0');
    const late = await log.rows(
      new PurgeStatements(log.database.dialect).findExpired(
        now - EXPIRED_FOR,
        now - EXPIRED_FOR - PURGE_AGE,
        PENDING_PAGE,
      ),
    );
    if (late.length === 0) return [];
    const many =
      late.length === PENDING_PAGE ? `${late.length} events or more` : plural(late.length, 'event');
    return [
      wrong(
        `${many} expired more than an hour ago and no instance purges them; the table grows.`,
        'nestjs-logout purge deletes them now.',
        running.length === 0
          ? 'Instances purge each minute; none is running.'
          : 'Look in the instances’ logs for "were not purged": it says why.',
      ),
    ];
  },
};

/** The head beside the last event, in one snapshot. */
async function headRow({ log }: Patient): Promise<Row | undefined> {
  const [row] = await log.rows(log.operator.headAndLastEvent());
  return row;
}

function timeOf(eventId: string | null | undefined): number {
  return Number.parseInt((eventId ?? '').slice(0, 12), 16);
}

/** Whether the log is complete and maintained. */
export const LOG_CHECKS = [rows, format, head, gaps, pending, purge] as const;

/** The default of the option clockTolerance (ms). */
const CLOCK_TOLERANCE = 5_000;

const clock: Check = {
  name: 'clocks',
  title: 'the clocks of the hosts agree with the database’s',
  needs: ['auth_head', 'auth_log'],
  look: async ({ log, running }) => {
    const { clockAhead } = await readFigures(log);
    const hosts = [
      { name: 'this host', clockAhead },
      ...running.map(({ label, clockAhead }) => ({ name: label, clockAhead })),
    ];
    return hosts
      .filter((host) => Math.abs(host.clockAhead) > CLOCK_TOLERANCE)
      .map(({ name, clockAhead }) =>
        wrong(
          `The clock of ${name} is ${spanText(clockAhead)} ${clockAhead > 0 ? 'ahead of' : 'behind'} the database’s` +
            (clockAhead > 0
              ? ': tokens seem to expire too early there.'
              : ': its logs and its other services show wrong times.'),
          'Set both by NTP (chronyd or systemd-timesyncd), also on the host of the database: one of the two is wrong.',
        ),
      );
  },
};

const bounds: Check = {
  name: 'bounds',
  title: 'the instances agree about maxStaleness and token lifetimes',
  needs: ['auth_instance'],
  look: async ({ running }) => [
    ...differing(running, 'maxStaleness', ({ maxStaleness }) => boundText(maxStaleness), [
      'Give all of them the same maxStaleness (and the same @WhenStale policies): the widest one is every receipt’s bound.',
    ]),
    ...differing(
      running,
      'the longest token lifetime',
      ({ maxTokenLife }) => spanText(maxTokenLife),
      [
        'Give all of them the same accessTokenTtl, legacy and foreign: the longest lifetime decides how long every event is kept.',
      ],
    ),
  ],
};

const releases: Check = {
  name: 'releases',
  title: 'the instances run one release',
  needs: ['auth_instance'],
  look: async ({ running }) =>
    differing(running, 'release', ({ release, format }) => `${release} (format ${format})`, [
      'During a deployment this is normal. If it stays, restart the older ones with the newer release.',
    ]),
};

const leftOver: Check = {
  name: 'registered bounds',
  title: 'the registered bounds belong to running instances',
  needs: ['auth_instance', 'auth_head', 'auth_log'],
  look: async ({ log, running }): Promise<Finding[] | string> => {
    if (running.length === 0) return 'no instance is running';
    const head = await readFigures(log);
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
};

const unbounded: Check = {
  name: 'unbounded',
  title: 'the registered staleness has a bound',
  needs: ['auth_head', 'auth_log'],
  look: async ({ log, running }) => {
    const { maxStaleness, maxStalenessBy } = await readFigures(log);
    if (!isUnbounded(maxStaleness)) return [];
    const open = running.filter((instance) => isUnbounded(instance.maxStaleness));
    return [
      note(
        `An unbounded staleness is registered (by ${maxStalenessBy ?? 'an unknown instance'}): no receipt can say when a logout is in force everywhere.` +
          (open.length === 0 ? '' : ` Running with it: ${namesOf(open)}.`),
        'It comes from observe, or from a policy "open". If that is intended, nothing has to be done.',
        'Otherwise remove it, restart the instances, and run nestjs-logout lower-bound.',
      ),
    ];
  },
};

/** One finding that lists the values, if the instances do not all have the same. */
function differing(
  running: readonly SeenInstance[],
  what: string,
  of: (instance: SeenInstance) => string,
  fixes: readonly string[],
): Finding[] {
  const values = [...new Set(running.map(of))];
  if (values.length < 2) return [];
  const listed = values.map((value) => {
    const them = running.filter((instance) => of(instance) === value);
    return `${value}: ${them.map(({ label }) => label).join(', ')}`;
  });
  return [wrong(`The running instances differ in ${what}: ${listed.join('; ')}.`, ...fixes)];
}

/** Whether the instances contradict each other, the head, or the clock. */
export const INSTANCE_CHECKS = [clock, bounds, releases, leftOver, unbounded] as const;
