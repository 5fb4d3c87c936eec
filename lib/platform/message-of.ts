import { logText } from './log-text.js';

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
