import type { Readable, Writable } from 'node:stream';
import type { AuthClock } from '../platform/auth-clock.js';

/** A stream that may be a terminal. */
export type CommandStream = Writable & { readonly isTTY?: boolean | undefined };

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
