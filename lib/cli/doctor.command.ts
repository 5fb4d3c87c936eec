import { instanceOf } from '../database/instance.statements.js';
import { messageOf } from '../platform/log-text.js';
import { type CommandLog, withLog } from './command-log.js';
import { isRunning, plural } from './command-options.js';
import { type CommandContext, EXIT } from './command.js';
import { type Check, type Finding, type Patient, wrong } from './doctor-check.js';
import { INSTANCE_CHECKS, LOG_CHECKS } from './doctor-log.checks.js';
import { SCHEMA_CHECKS, SERVER_CHECKS } from './doctor-server.checks.js';
import type { LogTarget, TargetOptions } from './log-target.js';

const CHECKS: readonly Check[] = [
  ...SERVER_CHECKS,
  ...SCHEMA_CHECKS,
  ...LOG_CHECKS,
  ...INSTANCE_CHECKS,
];

/** The result of a check. */
interface Outcome {
  readonly check: Check;
  readonly findings: readonly Finding[];
  /** Why the check does not apply. */
  readonly skipped?: string;
}

/** `nestjs-logout doctor`: makes every check and prints each mistake with its fix. */
export async function doctor(context: CommandContext, options: TargetOptions): Promise<number> {
  const { output } = context;
  const outcomes = await withLog(
    context,
    options,
    async (log, target) => {
      return output.during('Looking …', async (update) => {
        const patient = await examine(log, target);
        const made: Outcome[] = [];
        for (const check of CHECKS) {
          update(`Checking whether ${check.title} …`);
          made.push(await make(check, patient));
        }
        return made;
      });
    },
    'none',
  );
  const findings = outcomes.flatMap(({ check, findings }) =>
    findings.map((finding) => ({ check: check.name, ...finding })),
  );
  const wrongs = findings.filter(({ level }) => level === 'wrong').length;
  const skipped = outcomes.flatMap(({ check, skipped: why }) =>
    why === undefined ? [] : [{ check: check.name, why }],
  );
  output.print(
    [
      ...outcomes.flatMap(linesOf),
      '',
      wrongs === 0
        ? 'Nothing is wrong.'
        : `${plural(wrongs, 'thing')} ${wrongs === 1 ? 'is' : 'are'} wrong.`,
    ],
    { ok: wrongs === 0, findings, skipped },
  );
  return wrongs === 0 ? EXIT.ok : EXIT.wrong;
}

async function examine(log: CommandLog, target: LogTarget): Promise<Patient> {
  const { dialect } = log.database;
  const prefix = dialect.prefixed('');
  const names = (await log.rows(dialect.existing)).map(({ name }) => name ?? '');
  // As the checks call them: without the prefix.
  const present = new Set(
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  );
  const [can] = await log.rows(log.operator.cannotWrite());
  let running: Patient['running'] = [];
  try {
    if (present.has('auth_instance')) {
      running = (await log.rows(log.instances.list())).map(instanceOf).filter(isRunning);
    }
  } catch {
    // The check of the privileges reports that the table may not be read.
  }
  return { target, log, present, isReadOnly: can?.['cannot_write'] === '1', running };
}

async function make(check: Check, patient: Patient): Promise<Outcome> {
  const missing = check.needs.filter((table) => !patient.present.has(table));
  if (missing.length > 0) {
    return {
      check,
      findings: [],
      skipped: `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
    };
  }
  try {
    const found = await check.look(patient);
    return typeof found === 'string'
      ? { check, findings: [], skipped: found }
      : { check, findings: found };
  } catch (error) {
    const what = `It could not be checked whether ${check.title}: ${messageOf(error)}`;
    return {
      check,
      findings: [wrong(what, 'Look at the other findings first, then at the log of the database.')],
    };
  }
}

function linesOf({ check, findings, skipped }: Outcome): string[] {
  if (skipped !== undefined) return [`  -     ${check.name}: skipped: ${skipped}`];
  if (findings.length === 0) return [`  ok    ${check.name}: ${check.title}`];
  return findings.flatMap(({ level, what, fixes }) => [
    `  ${level.padEnd(5)} ${check.name}: ${what}`,
    ...fixes.map((fix) => `          fix: ${fix}`),
  ]);
}
