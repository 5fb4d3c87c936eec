import { findMissing } from '../database/check-tables.js';
import { messageOf } from '../platform/log-text.js';
import { type CommandContext, type CommandLog, isRunning, LostRow } from './command-log.js';
import { EXIT, plural } from './command.js';
import { type Check, type Finding, type Patient, wrong } from './doctor-check.js';
import { INSTANCE_CHECKS, LOG_CHECKS } from './doctor-log.checks.js';
import { SCHEMA_CHECKS, SERVER_CHECKS } from './doctor-server.checks.js';

/** All checks, server first: a problem of the server explains what later checks find. */
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

/**
 * `nestjs-logout doctor`: runs every check and prints each mistake with its fix. Run it after the set-up,
 * after an incident, and in a deployment. Use the database role of the application, because it checks the
 * privileges of that role.
 *
 * It only reads. To test privileges it runs statements that match no row, and to find a pooler it opens two
 * more connections.
 *
 * @returns exit code 0, or 1 if a check found a mistake or could not be made. Notes and skipped checks do not
 * count.
 */
export async function doctor(context: CommandContext): Promise<number> {
  const { output } = context;
  // `none`: this command must also work on a log on which no instance can boot.
  const log = await context.open('none');
  const outcomes = await output.during('Looking …', async (update) => {
    const patient = await examine(log);
    const made: Outcome[] = [];
    for (const check of CHECKS) {
      update(`Checking whether ${check.title} …`);
      made.push({ check, findings: [], ...(await make(check, patient)) });
    }
    return made;
  });
  const findings = outcomes.flatMap(({ check, findings }) =>
    findings.map((finding) => ({ check: check.name, ...finding })),
  );
  const skipped = outcomes.flatMap(({ check, skipped: why }) =>
    why === undefined ? [] : [{ check: check.name, why }],
  );
  const wrongs = findings.filter(({ level }) => level === 'wrong').length;
  const summary =
    wrongs === 0
      ? 'Nothing is wrong.'
      : `${plural(wrongs, 'thing')} ${wrongs === 1 ? 'is' : 'are'} wrong.`;
  output.print([...outcomes.flatMap(linesOf), '', summary], {
    ok: wrongs === 0,
    findings,
    skipped,
  });
  return wrongs === 0 ? EXIT.ok : EXIT.wrong;
}

/** Reads what all checks need, once. */
async function examine(log: CommandLog): Promise<Patient> {
  const missing = await findMissing(log.database);
  const [can] = await log.rows(log.operator.cannotWrite());
  // If the table cannot be read, the check of the privileges reports it.
  const instances = missing.tables.includes('auth_instance')
    ? []
    : await log.listInstances().catch(() => []);
  return {
    log,
    missing,
    isReadOnly: can?.['cannot_write'] === '1',
    running: instances.filter(isRunning),
  };
}

/** Runs one check. If it fails with an error, that is a finding, and the other checks still run. */
async function make(check: Check, patient: Patient): Promise<Partial<Outcome>> {
  const missing = (check.needs ?? []).filter((table) => patient.missing.tables.includes(table));
  if (missing.length > 0) {
    return { skipped: `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing` };
  }
  try {
    const found = await check.look(patient);
    return typeof found === 'string' ? { skipped: found } : { findings: [found ?? []].flat() };
  } catch (error) {
    // The check "log rows" reports it.
    if (error instanceof LostRow) return { skipped: error.message };
    const what = `It could not be checked whether ${check.title}: ${messageOf(error)}`;
    const fix = 'Look at the other findings first, then at the log of the database.';
    return { findings: [wrong(what, fix)] };
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
