import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { UNBOUNDED } from '../options/operation-settings.js';
import type { AuthClock } from '../platform/auth-clock.js';

/** A stream that may be a terminal. */
type CommandStream = Writable & { readonly isTTY?: boolean | undefined };

/** The process around a command; a test passes its own. */
export interface CommandHost {
  /** Results, and nothing else. */
  readonly stdout: CommandStream;
  /** Progress, questions and errors. */
  readonly stderr: CommandStream;
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: the host's own clocks. */
  readonly clock?: AuthClock | undefined;
}

/** The exit codes of a command; scripts rely on them. */
export const EXIT = {
  /** Done; for `doctor`: nothing is wrong. */
  ok: 0,
  /** Something is wrong, or it could not be done; the message says what. */
  wrong: 1,
  /** The command was not understood; nothing was tried. */
  usage: 2,
} as const;

/** It could not be done: exit code 1. The message says what happened and how to go on. */
export class CommandFailure extends Error {
  readonly exitCode: number = EXIT.wrong;

  constructor(what: string, ...fixes: string[]) {
    super([what, ...fixes.map((fix) => `  - ${fix}`)].join('\n'));
    this.name = 'CommandFailure';
  }
}

/** Wrong usage, and nothing was tried: exit code 2. */
export class CommandUsageError extends CommandFailure {
  override readonly exitCode: number = EXIT.usage;
}

/** Between two plain lines of progress (ms), so that a log is not flooded. */
const LINE_EACH = 1_000;

/** Prints a command's result on stdout, in lines or as one JSON object, and all else on stderr. */
export class CommandOutput {
  constructor(
    private readonly host: CommandHost,
    readonly json: boolean,
  ) {}

  /** @param value - The same for programs: stable names, times as ISO texts or seconds. */
  print(lines: readonly string[], value: object): void {
    const text = this.json ? JSON.stringify(value, null, 2) : lines.join('\n');
    this.host.stdout.write(`${text}\n`);
  }

  /** With `--json`, prints on stdout what {@link note} or commander printed on stderr. */
  failed(message: string): void {
    if (this.json) this.print([], { error: message });
  }

  note(line: string): void {
    this.host.stderr.write(`${line}\n`);
  }

  /**
   * Shows what `work` is doing: a spinner on a terminal, plain lines anywhere else.
   *
   * @param done - What is shown once it has succeeded; nothing is shown after an error.
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
    // Loaded here: scripts and CI have no terminal, and never need it.
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
   * Asks before anything that cannot be undone.
   *
   * @throws CommandUsageError without a terminal and without `--yes`, CommandFailure for a no.
   */
  async confirm(what: string, yes: boolean | undefined): Promise<void> {
    if (yes === true) return;
    const { stdin, stderr } = this.host;
    // A script that no one watches must say --yes: it must not hang at a question.
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

/** Whether a registered staleness is no bound: `observe` and the policy `open` register a century. */
export function isUnbounded(milliseconds: number): boolean {
  return milliseconds >= UNBOUNDED;
}

/** A bound for people: `5 s`, `1 h`, or that there is none. */
export function boundText(milliseconds: number): string {
  return isUnbounded(milliseconds) ? 'unbounded' : spanText(milliseconds);
}

/** A length of time for people. */
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
