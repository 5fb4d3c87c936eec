import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import type { AuthClock } from '../platform/auth-clock.js';

/** A stream that may be a terminal. */
type CommandStream = Writable & { readonly isTTY?: boolean | undefined };

/** The process around a command, so that a test can be it. */
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

/** What a command ends with; scripts rest on these numbers. */
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

/** The command was given wrongly and nothing was tried: exit code 2. */
export class CommandUsageError extends CommandFailure {
  override readonly exitCode: number = EXIT.usage;
}

/** Between two plain lines of progress (ms); a log is no terminal. */
const LINE_EACH = 1_000;

/** Long work that is under way. */
export interface Progress {
  update(text: string): void;
  /** Ends it, with what came of it. */
  done(text: string): void;
  /** Ends it without a word; the error follows. */
  stop(): void;
}

/** What a command says: its result on stdout, in lines or as one JSON object; the rest on stderr. */
export class CommandOutput {
  constructor(
    private readonly host: CommandHost,
    readonly json: boolean,
  ) {}

  /** @param value - The same for programs: names are stable, times are ISO texts or seconds. */
  print(lines: readonly string[], value: object): void {
    const text = this.json ? JSON.stringify(value, null, 2) : lines.join('\n');
    this.host.stdout.write(`${text}\n`);
  }

  fail(message: string): void {
    this.host.stderr.write(`${message}\n`);
    if (this.json) this.host.stdout.write(`${JSON.stringify({ error: message }, null, 2)}\n`);
  }

  note(line: string): void {
    this.host.stderr.write(`${line}\n`);
  }

  /** Shows that something is going on: a spinner on a terminal, plain lines anywhere else. */
  async progress(text: string): Promise<Progress> {
    const { stderr } = this.host;
    if (stderr.isTTY === true) {
      const { default: yoctoSpinner } = await import('yocto-spinner');
      const spinner = yoctoSpinner({ text, stream: stderr }).start();
      return {
        update: (next) => (spinner.text = next),
        done: (last) => void spinner.success(last),
        stop: () => void spinner.stop(),
      };
    }
    this.note(text);
    let last = performance.now();
    return {
      update: (next) => {
        if (performance.now() - last < LINE_EACH) return;
        last = performance.now();
        this.note(next);
      },
      done: (next) => this.note(next),
      stop: () => undefined,
    };
  }

  /**
   * Asks before what cannot be taken back.
   *
   * @throws CommandUsageError off a terminal without `--yes`, CommandFailure for a no.
   */
  async confirm(what: string, yes: boolean | undefined): Promise<void> {
    if (yes === true) return;
    const { stdin, stderr } = this.host;
    if (stdin.isTTY !== true || stderr.isTTY !== true) {
      throw new CommandUsageError(
        `${what} This cannot be taken back.`,
        'Add --yes if that is meant.',
      );
    }
    const terminal = createInterface({ input: stdin, output: stderr });
    try {
      const answer = await terminal.question(`${what} This cannot be taken back. Type yes: `);
      if (answer.trim().toLowerCase() !== 'yes') throw new CommandFailure('Nothing was changed.');
    } finally {
      terminal.close();
    }
  }
}

/** What every command works with. */
export interface CommandContext {
  readonly host: CommandHost;
  readonly output: CommandOutput;
}
