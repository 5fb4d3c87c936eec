import type { DataSourceOptions } from 'typeorm';

/**
 * A push notification that makes other instances poll the log now. `postgresHint()`, `redisHint()` and
 * `natsHint()` return one; an application implements it for another message system.
 *
 * It only makes logouts faster. If a notification is lost, repeated, late or out of order, an instance
 * learns of the logout with its next poll. The library reconnects, tests whether messages arrive, and
 * limits how often they cause a poll. A message contains no token and no user id.
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
  /** Its name in the application's log. */
  readonly name: string;
  /** What to check when it connects but does not receive its own messages: a sentence for the log. */
  readonly whenUnheard: string;
  /**
   * Called once at boot, before anything is connected.
   *
   * @throws AuthWiringError when it can never work here: a missing package, another database. This stops
   * the boot.
   */
  prepare(log: DataSourceOptions): Promise<void>;
  /**
   * Connects and subscribes. It is called again, with growing pauses, until it succeeds, and whenever the
   * connection was lost.
   */
  connect(context: HintContext): Promise<HintConnection>;
}

/** What {@link RevocationHint.connect} gets. @publicApi */
export interface HintContext {
  /** The channel to send and receive on: letters, digits and `_`, at most 63, one for each log. */
  readonly channel: string;
  /** How the log connects to its database. It holds a password: never log it. */
  readonly log: DataSourceOptions;
  /** Runs one statement on the log's own connections; `?` stands for each value. */
  query(sql: string, values: readonly string[]): Promise<void>;
  /** Call it with every message of the channel, also with those of this instance. */
  hear(payload: string): void;
  /** Call it once when the connection is lost; `connect` is then called again. */
  lost(error: unknown): void;
}

/** One connection of a {@link RevocationHint}. @publicApi */
export interface HintConnection {
  /** Sends a message to the channel. It resolves when the message server has it. */
  tell(payload: string): Promise<void>;
  /** Closes the connection, even one that hangs. `lost` need not be called any more. */
  close(): Promise<void>;
}

/**
 * The state of the push notifications.
 *
 * - `off`: none was configured.
 * - `connecting`: this instance has just started.
 * - `listening`: it receives its own messages.
 * - `polling only`: it does not receive its own messages, and tries again; a logout elsewhere arrives with
 *   the next poll, as without push notifications.
 *
 * @publicApi
 */
export type HintState = 'off' | 'connecting' | 'listening' | 'polling only';
