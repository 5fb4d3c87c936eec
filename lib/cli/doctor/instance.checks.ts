import type { SeenInstance } from '../../database/instance.statements.js';
import { boundText, isUnbounded, namesOf, spanText } from '../command-options.js';
import { readFigures } from '../log-figures.js';
import { type Check, type Finding, note, wrong } from './check.js';

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
