import { Injectable, Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { statementOf } from '../../database/statement.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import type { HintConnection, HintContext, HintState } from '../../options/revocation-hint.js';
import { SharedCall, withinTime } from '../../platform/async-calls.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { LogCursor } from '../feed/log-cursor.js';
import { RevocationFeed } from '../feed/revocation-feed.service.js';
import { LogConnection } from '../log/log-connection.service.js';
import { RevocationLog } from '../log/revocation-log.service.js';
import { readMessage, WakeUpPacer, writeMessage } from './push-message.js';

/** The limit of a connection attempt (ms), because a server may accept it and never answer. */
const CONNECT_LIMIT = 5_000;

/** A message that takes longer to send has failed (ms). */
const SEND_LIMIT = 3_000;

/** A test message of this instance must come back within this time (ms). */
const ECHO_LIMIT = 2_000;

/** After this time without any message, the instance tests whether it still receives (ms). */
const SILENCE = 30_000;

/**
 * The limits of the exponential backoff between connection attempts (ms). Each pause is a random
 * time below it.
 */
const BACKOFF = { from: 250, to: 30_000 } as const;

/**
 * Connects the transport of the option `hint`. It notifies other instances of what this one
 * commits, and polls when another one notifies this instance.
 *
 * A push notification only means "poll now". No decision depends on it: if one is lost, forged or
 * late, the next regular poll finds the event within `maxStaleness`.
 *
 * A connection counts as working once it has brought back a message of this instance. A transport
 * can accept messages without delivering them, for example `LISTEN` behind a transaction pooler.
 *
 * See docs/push-notifications.md.
 */
@Injectable()
export class PushLink {
  /** Whether push notifications arrive at this instance. */
  state: HintState = 'off';

  private readonly logger = new Logger('RevocationHint');
  private readonly instance = randomBytes(8).toString('hex');
  private readonly pacer: WakeUpPacer;
  private isStarted = false;
  private isStopped = false;
  /**
   * The number of the current connection. Callbacks of an abandoned connection have an older number
   * and are ignored.
   */
  private generation = 0;
  private connection: HintConnection | undefined;
  /**
   * Sends one message at a time. Of those that waited meanwhile only the latest is sent, because a
   * position includes all earlier ones. So a slow transport cannot build up a queue.
   */
  private sender: SharedCall<void> | undefined;
  private sent: Promise<void> | undefined;
  /** The last position that this instance committed. */
  private position = 0;
  private attempts = 0;
  private sendFailures = 0;
  private heardAt = -Infinity;
  private isTesting = false;
  private cancelNext: CancelSchedule | undefined;

  constructor(
    private readonly logConnection: LogConnection,
    log: RevocationLog,
    private readonly feed: RevocationFeed,
    private readonly cursor: LogCursor,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {
    this.pacer = new WakeUpPacer(clock, () => feed.request());
    if (options.hint === undefined) return;
    this.state = 'connecting';
    log.commits.subscribe(({ events, head }) => {
      const last = Math.max(...events.map(({ position }) => position ?? 0));
      // A repeated logout wrote nothing, so there is nothing to notify.
      if (last > head.position) this.notify(last);
    });
    void feed.firstProof.then(() => this.start());
  }

  /**
   * Checks at boot that the transport can work.
   *
   * @throws AuthWiringError if it never can: a missing package, or a transport of another database.
   */
  async prepare(): Promise<void> {
    await this.options.hint?.prepare(this.logConnection.dataSourceOptions);
  }

  /** Waits for the message that is being sent, and closes the connection. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancelNext?.();
    this.pacer.stop();
    await this.sent;
    await this.drop();
  }

  /** Connects, once, and retries until {@link stop}. */
  private start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    void this.connect();
  }

  /**
   * Sends the position of the log to the other instances. If it cannot be sent now, it is sent
   * after the next connect.
   */
  private notify(position: number): void {
    this.position = Math.max(this.position, position);
    this.start(); // a process that only writes has no first proof that would start it
    this.sendPosition();
  }

  /**
   * Connects to the transport and starts the self-test. Callbacks of an older connection are
   * ignored.
   */
  private async connect(): Promise<void> {
    const { hint } = this.options;
    if (hint === undefined || this.isStopped) return;
    const generation = ++this.generation;
    const isCurrent = (): boolean => generation === this.generation && !this.isStopped;
    try {
      const context = await this.contextOf(isCurrent);
      const connection = await withinTime(
        hint.connect(context),
        CONNECT_LIMIT,
        `It did not connect within ${CONNECT_LIMIT / 1000} s.`,
        (late) => this.end(late),
      );
      if (!isCurrent()) return this.end(connection);
      this.connection = connection;
      this.sender = new SharedCall(async () => {
        const error = await this.failureOf(connection);
        if (isCurrent()) this.wasSent(error);
      });
      this.test();
    } catch (error) {
      if (isCurrent()) this.lose(error);
    }
  }

  private async contextOf(isCurrent: () => boolean): Promise<HintContext> {
    const { id, database } = await this.logConnection.open();
    return {
      // The channel contains the log id: two logs may share one Redis, and two applications one
      // log. PostgreSQL allows 63 bytes.
      channel: `nestjs_logout_${id.replaceAll(/[^A-Za-z0-9]/g, '')}`.slice(0, 63),
      log: this.logConnection.dataSourceOptions,
      query: async (sql, values) => {
        await database.read(statementOf(database.dialect, sql, values));
      },
      hear: (payload) => isCurrent() && this.receive(payload),
      lost: (error) => isCurrent() && this.lose(error),
    };
  }

  private sendPosition(): void {
    this.sent = this.sender?.run();
  }

  /** Sends the position, and returns the error if that failed. */
  private async failureOf(connection: HintConnection): Promise<unknown> {
    const message = writeMessage({ instance: this.instance, position: this.position });
    const limit = `It was not sent within ${SEND_LIMIT / 1000} s.`;
    try {
      await withinTime(connection.tell(message), SEND_LIMIT, limit);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Starts the self-test: a message of this instance must come back within {@link ECHO_LIMIT}. */
  private test(): void {
    this.isTesting = true;
    this.plan(ECHO_LIMIT, () => {
      this.lose(
        new Error(`It connects and does not hear itself. ${this.options.hint?.whenUnheard}`),
      );
    });
    this.sendPosition();
  }

  private receive(payload: string): void {
    const message = readMessage(payload);
    if (message === undefined) return;
    this.heardAt = this.clock.monotonic();
    if (message.instance !== this.instance) {
      this.meter.hints.heard++;
      this.wakeUp(message.position);
    } else if (this.isTesting) this.passed();
  }

  /**
   * Polls, because another instance has committed up to this position. While polls fail, their
   * backoff decides when to poll, so that notifications do not flood a database in trouble.
   */
  private wakeUp(position: number): void {
    const { feed } = this;
    if (position > this.cursor.position && !feed.failing && !feed.isStopped) this.pacer.wakeUp();
  }

  /** The self-test has passed: the connection works. */
  private passed(): void {
    this.isTesting = false;
    this.attempts = 0;
    if (this.state === 'polling only') this.logger.log('Push notifications arrive again.');
    this.state = 'listening';
    this.awaitSilence();
  }

  /**
   * Tests the connection after a silence, because a connection can be dead without an error. Any
   * message shows that it is alive.
   */
  private awaitSilence(): void {
    const heardFor = this.clock.monotonic() - this.heardAt;
    if (heardFor >= SILENCE) this.test();
    // The time is random, so usually one instance tests first. All others receive its message and
    // need no test of their own.
    else this.plan(SILENCE - heardFor + Math.random() * SILENCE, () => this.awaitSilence());
  }

  /**
   * Counts a sent message. After a failure it starts a self-test, which shows whether the
   * connection is still alive.
   */
  private wasSent(error: unknown): void {
    if (error === undefined) {
      this.meter.hints.told++;
      this.sendFailures = 0;
      return;
    }
    this.meter.hints.failed++;
    if (this.sendFailures++ % 100 === 0) {
      this.logger.warn(
        `Other instances could not be notified of a revocation. They learn of it with their next poll: ${messageOf(error)}`,
      );
    }
    if (!this.isTesting) this.test();
  }

  /**
   * Falls back to polling, and reconnects after a random backoff, so that not all instances
   * reconnect at once.
   */
  private lose(error: unknown): void {
    if (this.state !== 'polling only') {
      this.logger.warn(
        `Push notifications do not arrive; this instance learns of a logout on another instance with its next poll. ` +
          `${this.options.hint?.name}: ${messageOf(error)}`,
      );
    }
    this.state = 'polling only';
    void this.drop();
    const limit = Math.min(BACKOFF.to, BACKOFF.from * 2 ** Math.min(this.attempts++, 10));
    this.plan(Math.random() * limit, () => void this.connect());
  }

  /** Abandons the current connection: from now on its messages and errors are ignored. */
  private async drop(): Promise<void> {
    const { connection } = this;
    this.generation++;
    this.isTesting = false;
    this.connection = undefined;
    this.sender = undefined;
    if (connection !== undefined) await this.end(connection);
  }

  private async end(connection: HintConnection): Promise<void> {
    try {
      await withinTime(connection.close(), ECHO_LIMIT, 'It did not close.');
    } catch (error) {
      this.logger.debug(`A connection for push notifications was not closed: ${messageOf(error)}`);
    }
  }

  private plan(delay: number, task: () => void): void {
    this.cancelNext?.();
    if (!this.isStopped) this.cancelNext = this.clock.schedule(delay, task);
  }
}
