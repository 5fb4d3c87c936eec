import type { DataSourceOptions } from 'typeorm';

/**
 * Tells other instances to look at the log now; what `postgresHint()`, `redisHint()` and `natsHint()`
 * return, and what an application implements for another message system.
 *
 * Nothing rests on it: what is lost, repeated, late or out of order costs only delay, at most until the
 * next poll. Reconnecting, the self-test and the pace of the polls are not its business.
 *
 * @example
 * ```ts
 * const hint: RevocationHint = {
 *   name: 'bus',
 *   whenUnheard: 'Is this process subscribed?',
 *   prepare: async () => undefined,
 *   connect: async ({ channel, hear }) => {
 *     const subscription = await bus.subscribe(channel, hear);
 *     return { tell: (payload) => bus.publish(channel, payload), close: () => subscription.end() };
 *   },
 * };
 * ```
 * @publicApi
 */
export interface RevocationHint {
  /** What it is called in the log of the application. */
  readonly name: string;
  /** What to look at when it connects and still does not hear itself: a sentence for the log. */
  readonly whenUnheard: string;
  /**
   * Called once at boot, before anything is connected.
   *
   * @throws AuthWiringError when it can never work here: a missing package, another database. It stops
   * the boot.
   */
  prepare(log: DataSourceOptions): Promise<void>;
  /**
   * Connects and subscribes; called again, with growing pauses, until it succeeds, and whenever the
   * connection was lost.
   */
  connect(context: HintContext): Promise<HintConnection>;
}

/** What a {@link RevocationHint} is given to connect with. @publicApi */
export interface HintContext {
  /** The name to tell and hear on: letters, digits and `_`, at most 63, one for each log. */
  readonly channel: string;
  /** How the log connects to its database. It holds a password: never log it. */
  readonly log: DataSourceOptions;
  /** Runs one statement on the log's own connections; `?` stands for each value. */
  query(sql: string, values: readonly string[]): Promise<void>;
  /** To be called with every message of the channel, whoever sent it. */
  hear(payload: string): void;
  /** To be called once when the connection is gone; it is made anew. */
  lost(error: unknown): void;
}

/** One connection of a {@link RevocationHint}. @publicApi */
export interface HintConnection {
  /** Sends a message to everyone on the channel; resolves when it was handed over. */
  tell(payload: string): Promise<void>;
  /** Ends the connection, also one that hangs; `lost` need not be called any more. */
  close(): Promise<void>;
}

/**
 * What the hint does at this moment.
 *
 * - `off`: none was configured.
 * - `connecting`: this instance has just started.
 * - `listening`: it hears what it tells itself.
 * - `polling only`: it does not hear itself, and is tried again; a logout elsewhere arrives by the next
 *   poll, as without a hint.
 *
 * @publicApi
 */
export type HintState = 'off' | 'connecting' | 'listening' | 'polling only';
