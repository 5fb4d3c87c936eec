import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { UNBOUNDED } from '../options/operation-settings.js';
import type { AuthClock } from '../platform/auth-clock.js';

/** A stream that may be a terminal. */
type CommandStream = Writable & { readonly isTTY?: boolean | undefined };

/** The process around a command. Tests pass their own. */
export interface CommandHost {
  /** The result only, so that scripts can parse it. */
  readonly stdout: CommandStream;
  /** Progress, questions, errors and log lines. */
  readonly stderr: CommandStream;
  /** The token of `explain`, and the answers to questions. */
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  /** The environment. Only `DATABASE_URL` is read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @default the clocks of the host */
  readonly clock?: AuthClock | undefined;
}

/** The exit codes of a command. Scripts rely on them, so they must not change. */
export const EXIT = {
  /** The command succeeded. For `doctor`: nothing is wrong. */
  ok: 0,
  /** The command failed, or `doctor` found a mistake. The message says what. */
  wrong: 1,
  /** The command line was invalid. Nothing was changed. */
  usage: 2,
} as const;

/**
 * A command failed: exit code 1. The message says what happened, with one line for each possible fix. It is
 * printed without a stack trace.
 */
export class CommandFailure extends Error {
  readonly exitCode: number = EXIT.wrong;

  constructor(what: string, ...fixes: string[]) {
    super([what, ...fixes.map((fix) => `  - ${fix}`)].join('\n'));
    this.name = 'CommandFailure';
  }
}

/** The command line was invalid, and nothing was changed: exit code 2. */
export class CommandUsageError extends CommandFailure {
  override readonly exitCode: number = EXIT.usage;
}

/** The time between two lines of progress without a terminal (ms), so that a log is not flooded. */
const LINE_EACH = 1_000;

/**
 * Prints the result of a command on stdout, as lines or as one JSON object, and everything else on
 * stderr.
 */
export class CommandOutput {
  constructor(
    private readonly host: CommandHost,
    readonly json: boolean,
  ) {}

  /**
   * Prints the result. Call it once in each command, because the output of `--json` is one object.
   *
   * @param lines - The result as text.
   * @param value - The same result for programs (`--json`): stable names, times in ISO 8601,
   * durations in seconds.
   */
  print(lines: readonly string[], value: object): void {
    const text = this.json ? JSON.stringify(value, null, 2) : lines.join('\n');
    this.host.stdout.write(`${text}\n`);
  }

  /**
   * With `--json`, also prints an error on stdout, so that a program always gets one JSON object.
   */
  failed(message: string): void {
    if (this.json) this.print([], { error: message });
  }

  /** Prints a line on stderr. */
  note(line: string): void {
    this.host.stderr.write(`${line}\n`);
  }

  /**
   * Shows the progress of `work`: a spinner on a terminal, plain lines anywhere else.
   *
   * @param text - The line that is shown first. `work` can replace it with `update`.
   * @param done - The line that is shown after success.
   */
  async during<T>(
    text: string,
    work: (update: (text: string) => void) => Promise<T>,
    done?: string,
  ): Promise<T> {
    const { stderr } = this.host;
    if (stderr.isTTY !== true) {
      this.note(text);
      let last = performance.now();
      const result = await work((next) => {
        if (performance.now() - last < LINE_EACH) return;
        last = performance.now();
        this.note(next);
      });
      if (done !== undefined) this.note(done);
      return result;
    }
    // It is imported here, because scripts and CI have no terminal and never need it.
    const { default: yoctoSpinner } = await import('yocto-spinner');
    const spinner = yoctoSpinner({ text, stream: stderr }).start();
    try {
      const result = await work((next) => (spinner.text = next));
      if (done !== undefined) spinner.success(done);
      return result;
    } finally {
      spinner.stop();
    }
  }

  /**
   * Asks for confirmation. Call it before each change that cannot be undone. No lock is held while it waits, so
   * check again afterwards what must still be true.
   *
   * @param what - The effect of the command, as a sentence.
   * @param yes - The option `--yes`, which skips the question.
   * @throws CommandUsageError without a terminal and without `--yes`.
   * @throws CommandFailure if the answer is not `yes`.
   */
  async confirm(what: string, yes: boolean | undefined): Promise<void> {
    if (yes === true) return;
    const { stdin, stderr } = this.host;
    // Without a terminal no one can answer, and the script would hang. So it must pass --yes.
    if (stdin.isTTY !== true || stderr.isTTY !== true) {
      throw new CommandUsageError(`${what} This cannot be undone.`, 'Add --yes if you are sure.');
    }
    const terminal = createInterface({ input: stdin, output: stderr });
    try {
      const answer = await terminal.question(`${what} This cannot be undone. Type yes: `);
      if (answer.trim().toLowerCase() !== 'yes') throw new CommandFailure('Nothing was changed.');
    } finally {
      terminal.close();
    }
  }
}

/**
 * Whether a registered staleness means "unbounded". `observe` and the policy `open` register such a
 * value.
 */
export function isUnbounded(milliseconds: number): boolean {
  return milliseconds >= UNBOUNDED;
}

/** Formats a bound: `5 s`, `1 h`, or `unbounded`. */
export function boundText(milliseconds: number): string {
  return isUnbounded(milliseconds) ? 'unbounded' : spanText(milliseconds);
}

/** Formats a duration (ms), rounded and without its sign: `1.5 s`, `15 min`, `2.5 h`, `30 d`. */
export function spanText(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 120) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Number((seconds / 3_600).toFixed(1))} h`;
  return `${Number((seconds / 86_400).toFixed(1))} d`;
}

/** `1 event`, `2 events`. */
export function plural(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}
