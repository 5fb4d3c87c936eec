import type { SeenInstance } from '../database/instance.statements.js';
import { type CommandContext } from './command-log.js';
import { boundText, isUnbounded, spanText } from './command.js';

/**
 * `nestjs-logout status`: prints the position of the log, the registered bounds, and the instances. Run it to
 * see which instances are connected, and which bound a logout has. To look for mistakes, run `doctor`.
 *
 * It only reads, and takes no lock. A count that takes too long is left out. The exit code is 0.
 */
export async function status(context: CommandContext): Promise<void> {
  const log = await context.open();
  const head = await log.figures();
  // The tables are counted one after the other, so that a command puts little load on the server of
  // the application.
  const events = await log.count('auth_event');
  const pending = await log.count('auth_pending');
  const sessions = await log.count('auth_session');
  const instances = await log.listInstances();
  const by = (who: string | null): string => (who === null ? '' : `, raised by ${who}`);
  const databaseTime = new Date(head.now).toISOString();
  context.output.print(
    [
      `log             ${head.logId} (format ${head.format})`,
      `position        ${head.position}`,
      `purged through  ${head.purgedThrough}`,
      `events          ${numberText(events)}`,
      `pending         ${numberText(pending)}`,
      `sessions        ${numberText(sessions)}`,
      `max staleness   ${boundText(head.maxStaleness)}${by(head.maxStalenessBy)}`,
      `max token life  ${spanText(head.maxTokenLife)}${by(head.maxTokenLifeBy)}`,
      `database clock  ${databaseTime}; this host is ${aheadText(head.clockAhead)}`,
      `instances       ${instances.length === 0 ? 'none known' : ''}`,
      ...instances.map((instance) => `  ${lineOf(instance)}`),
    ],
    {
      logId: head.logId,
      format: head.format,
      position: head.position,
      purgedThrough: head.purgedThrough,
      events: events ?? null,
      pending: pending ?? null,
      sessions: sessions ?? null,
      ...boundsOf(head),
      maxStalenessBy: head.maxStalenessBy,
      maxTokenLifeBy: head.maxTokenLifeBy,
      databaseTime,
      hostClockAhead: head.clockAhead / 1000,
      instances: instances.map(({ id, label, issuer, release, format, ...times }) => ({
        id,
        label,
        issuer,
        release,
        format,
        ...boundsOf(times),
        seenAgo: times.seenAgo / 1000,
        clockAhead: times.clockAhead / 1000,
      })),
    },
  );
}

/** The bounds for JSON, in seconds; `null` if unbounded. */
function boundsOf(of: { readonly maxStaleness: number; readonly maxTokenLife: number }): {
  maxStaleness: number | null;
  maxTokenLife: number;
} {
  return {
    maxStaleness: isUnbounded(of.maxStaleness) ? null : of.maxStaleness / 1000,
    maxTokenLife: of.maxTokenLife / 1000,
  };
}

function numberText(n: number | undefined): string {
  return n === undefined ? 'not counted: it takes too long' : n.toLocaleString('en');
}

function lineOf(instance: SeenInstance): string {
  const { label, release, issuer, maxStaleness, maxTokenLife, seenAgo, clockAhead } = instance;
  return (
    `${label}  release ${release}, issuer ${issuer}, max staleness ${boundText(maxStaleness)}, ` +
    `max token life ${spanText(maxTokenLife)}, seen ${spanText(seenAgo)} ago, clock ${aheadText(clockAhead)}`
  );
}

/** Formats a clock difference. Less than a second is within the latency to the database. */
function aheadText(milliseconds: number): string {
  if (Math.abs(milliseconds) < 1_000) return 'right';
  return `${spanText(milliseconds)} ${milliseconds > 0 ? 'ahead' : 'behind'}`;
}
