import { Logger } from '@nestjs/common';
import { messageOf } from '../platform/message-of.js';
import type { CommandHost } from './command-host.js';
import { CommandLog } from './command-log.js';
import type { CommandOutput } from './command-output.js';
import { type LogTarget, readTarget, type TargetOptions } from './log-target.js';

/** What every command works with. */
export interface CommandContext {
  readonly host: CommandHost;
  readonly output: CommandOutput;
}

/** Opens the log that the options name, for as long as `work` takes. */
export async function withLog<T>(
  { host }: CommandContext,
  options: TargetOptions,
  work: (log: CommandLog, target: LogTarget) => Promise<T>,
  migrations: 'check' | 'run' | 'none' = 'check',
): Promise<T> {
  speakTo(host);
  const target = await readTarget(options, host.env);
  const log = await CommandLog.open(target, host.clock, migrations);
  try {
    return await work(log, target);
  } finally {
    await log.close();
  }
}

/** What the library logs is no result: Nest would print it on stdout. */
function speakTo({ stderr }: CommandHost): void {
  const say = (message: unknown): void => void stderr.write(`${messageOf(message)}\n`);
  Logger.overrideLogger({ log: say, warn: say, error: say, fatal: say });
}
