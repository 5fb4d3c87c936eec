import type { AuthClock } from './auth-clock.js';

// Control, format (bidi marks, zero width, byte order mark), line and paragraph separators, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Makes untrusted text safe for a log line: it is truncated, and characters that start a new line,
 * colour a terminal or change the text direction are escaped (ASVS 5.0 16.4.1).
 *
 * @param length - The longest text that is not truncated, in characters.
 */
export function logText(text: string, length = 80): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/**
 * The message of an error and its cause, as one log line. It is escaped too, because the message of
 * a server may contain text from a client.
 */
export function messageOf(error: unknown): string {
  return logText(wordsOf(error), 1_000);
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses fails with one error for each address, and an empty message of
  // its own.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  if (error.message === '' && first instanceof Error) return first.message;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

/** The time between two lines with the same warning (ms). */
const INTERVAL = 10_000;

/**
 * A warning that every request could cause. It is logged at once, then at most every ten seconds
 * with a count.
 */
export class RepeatedWarning {
  private said: number | undefined;
  private silent = 0;

  constructor(
    private readonly clock: Pick<AuthClock, 'monotonic'>,
    private readonly write: (message: string) => void,
  ) {}

  /**
   * @param message - It must not contain a token, an id or a name, because only one of many is
   * logged.
   */
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
