import type { SeenInstance } from '../database/instance.statements.js';
import { withLog } from './command-log.js';
import { boundText, isUnbounded, spanText } from './command-options.js';
import { type CommandContext, EXIT } from './command.js';
import { count, readFigures } from './log-figures.js';
import type { TargetOptions } from './log-target.js';

/** `nestjs-logout status`: the position of the log, what is registered, and the instances. */
export async function status(context: CommandContext, options: TargetOptions): Promise<number> {
  return withLog(context, options, async (log) => {
    const head = await readFigures(log);
    const events = await count(log, 'auth_event');
    const pending = await count(log, 'auth_pending');
    const sessions = await count(log, 'auth_session');
    const instances = await log.listInstances();
    const by = (who: string | null): string => (who === null ? '' : `, raised by ${who}`);
    const number = (n: number | undefined): string =>
      n === undefined ? 'not counted: it takes too long' : n.toLocaleString('en');
    context.output.print(
      [
        `log             ${head.logId} (format ${head.format})`,
        `position        ${head.position}`,
        `purged through  ${head.purgedThrough}`,
        `events          ${number(events)}`,
        `pending         ${number(pending)}`,
        `sessions        ${number(sessions)}`,
        `max staleness   ${boundText(head.maxStaleness)}${by(head.maxStalenessBy)}`,
        `max token life  ${spanText(head.maxTokenLife)}${by(head.maxTokenLifeBy)}`,
        `database clock  ${new Date(head.now).toISOString()}; this host is ${ahead(head.clockAhead)}`,
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
        maxStaleness: bound(head.maxStaleness),
        maxStalenessBy: head.maxStalenessBy,
        maxTokenLife: head.maxTokenLife / 1000,
        maxTokenLifeBy: head.maxTokenLifeBy,
        databaseTime: new Date(head.now).toISOString(),
        hostClockAhead: head.clockAhead / 1000,
        instances: instances.map((instance) => ({
          id: instance.id,
          label: instance.label,
          issuer: instance.issuer,
          release: instance.release,
          format: instance.format,
          maxStaleness: bound(instance.maxStaleness),
          maxTokenLife: instance.maxTokenLife / 1000,
          seenAgo: instance.seenAgo / 1000,
          clockAhead: instance.clockAhead / 1000,
        })),
      },
    );
    return EXIT.ok;
  });
}

/** In seconds; `null` where there is no bound. */
function bound(milliseconds: number): number | null {
  return isUnbounded(milliseconds) ? null : milliseconds / 1000;
}

function lineOf(instance: SeenInstance): string {
  const { label, release, issuer, maxStaleness, maxTokenLife, seenAgo, clockAhead } = instance;
  return (
    `${label}  release ${release}, issuer ${issuer}, max staleness ${boundText(maxStaleness)}, ` +
    `max token life ${spanText(maxTokenLife)}, seen ${spanText(seenAgo)} ago, clock ${ahead(clockAhead)}`
  );
}

function ahead(milliseconds: number): string {
  if (Math.abs(milliseconds) < 1_000) return 'right';
  return `${spanText(milliseconds)} ${milliseconds > 0 ? 'ahead' : 'behind'}`;
}
