import type { AuthClock } from './auth-clock.js';

// Control, format (bidi marks, zero width, byte order mark), line and paragraph separators, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * A text from outside, made safe for a line of a log: without characters that start
 * a new line, colour a terminal or turn the direction of what follows, and cut off.
 *
 * @param length - The longest text that is shown whole, in characters.
 */
export function logText(text: string, length = 80): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/** An error and what caused it, in one line for a log: a server's words may hold those of a client. */
export function messageOf(error: unknown): string {
  return logText(wordsOf(error), 1_000);
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses fails with an error for each, and none of its own.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  if (error.message === '' && first instanceof Error) return first.message;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

/** Between two lines about the same thing (ms). */
const INTERVAL = 10_000;

/** A warning that every request could cause: said at once, then at most every ten seconds. */
export class RepeatedWarning {
  private said: number | undefined;
  private silent = 0;

  constructor(
    private readonly clock: Pick<AuthClock, 'monotonic'>,
    private readonly write: (message: string) => void,
  ) {}

  /** @param message - Never with a token, an id or a name in it. */
  say(message: string): void {
    const now = this.clock.monotonic();
    if (this.said !== undefined && now - this.said < INTERVAL) {
      this.silent++;
      return;
    }
    this.write(this.silent === 0 ? message : `${message} (And ${this.silent} times before.)`);
    this.said = now;
    this.silent = 0;
  }
}
