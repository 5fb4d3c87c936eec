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
