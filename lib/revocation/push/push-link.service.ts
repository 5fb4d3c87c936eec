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

/** A connection attempt may be accepted and then never answered (ms). */
const CONNECT_LIMIT = 5_000;

/** A message that takes longer to send counts as failed (ms). */
const SEND_LIMIT = 3_000;

/** A message of this instance must come back within this time (ms). */
const ECHO_LIMIT = 2_000;

/** After so long without any message the instance tests whether it still receives (ms). */
const SILENCE = 30_000;

/** The backoff between connection attempts grows from the one to the other (ms); each pause is random below it. */
const BACKOFF = { from: 250, to: 30_000 } as const;

/**
 * Keeps the transport of the option `hint` connected: notifies the other instances of what this one
 * commits, and polls when another one notifies.
 *
 * It trusts only what it receives: a connection works once it brings back a message of this instance. A
 * failure here only costs delay.
 */
@Injectable()
export class PushLink {
  /** Whether this instance receives its own messages. */
  state: HintState = 'off';

  private readonly logger = new Logger('RevocationHint');
  private readonly instance = randomBytes(8).toString('hex');
  private readonly pacer: WakeUpPacer;
  private isStarted = false;
  private isStopped = false;
  /** Counts connections: messages of an abandoned one are ignored. */
  private generation = 0;
  private connection: HintConnection | undefined;
  /** One message at a time through a connection, and after it only the latest of those that waited. */
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
      // A repeated end wrote nothing.
      if (last > head.position) this.notify(last);
    });
    void feed.firstProof.then(() => this.start());
  }

  /** @throws AuthWiringError when the hint can never work here: a missing package, another database. */
  async prepare(): Promise<void> {
    await this.options.hint?.prepare(this.logConnection.dataSourceOptions);
  }

  /** Sends what is queued, and closes the connection. */
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

  /** Sends the position of the log to the others. What cannot be sent is sent after the next connect. */
  private notify(position: number): void {
    this.position = Math.max(this.position, position);
    this.start(); // a process that only writes has no first proof
    this.sendPosition();
  }

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
      // Two logs may share one Redis, and two applications one log.
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

  /** The self-test: a message of this instance must come back. */
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

  /** Another instance has committed up to this position. While polls fail, their backoff decides. */
  private wakeUp(position: number): void {
    const { feed } = this;
    if (position > this.cursor.position && !feed.failing && !feed.isStopped) this.pacer.wakeUp();
  }

  private passed(): void {
    this.isTesting = false;
    this.attempts = 0;
    if (this.state === 'polling only') this.logger.log('Push notifications arrive again.');
    this.state = 'listening';
    this.awaitSilence();
  }

  /** A connection can be dead without an error. Any message shows that it is not. */
  private awaitSilence(): void {
    const heardFor = this.clock.monotonic() - this.heardAt;
    if (heardFor >= SILENCE) this.test();
    // A random time: the message of the first instance that tests answers for all of them.
    else this.plan(SILENCE - heardFor + Math.random() * SILENCE, () => this.awaitSilence());
  }

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

  /** Falls back to polling, and reconnects after a random backoff, so that not all instances do at once. */
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
