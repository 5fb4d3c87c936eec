import { Inject, Injectable, Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { AuthMeter } from '../../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../../options/resolved-auth-options.js';
import type { HintConnection, HintContext, HintState } from '../../options/revocation-hint.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { withinTime } from '../../platform/async-calls.js';
import { RevocationFeed } from '../feed/revocation-feed.service.js';
import { LogConnection } from '../log/log-connection.service.js';
import { HintSender, readHint, writeHint } from './hint-message.js';
import type { HintTeller } from './hint-teller.js';

/** A connection may be accepted and then left alone (ms). */
const CONNECT_LIMIT = 5_000;

/** How long what this instance tells may take to come back to it (ms). */
const ECHO_LIMIT = 2_000;

/** After so long without a message of anybody it asks itself whether it still hears (ms). */
const SILENCE = 30_000;

/** Pauses between attempts to connect grow from the one to the other (ms), and are anything below. */
const BACKOFF = { from: 250, to: 30_000 } as const;

/**
 * Keeps the hint that the application chose connected, and tells and hears through it.
 *
 * It trusts only what it hears: a connection counts from the moment it brings back what this instance
 * told itself. Whatever fails here costs delay and nothing else.
 */
@Injectable()
export class HintLink implements HintTeller {
  private readonly logger = new Logger('RevocationHint');
  private readonly instance = randomBytes(8).toString('hex');
  private current: HintState;
  private started = false;
  private stopped = false;
  /** Counts connections, so that nothing is heard from one that was given up. */
  private generation = 0;
  private connection: HintConnection | undefined;
  private sender: HintSender | undefined;
  private position = 0;
  private attempts = 0;
  private tellFailures = 0;
  private heardAt = -Infinity;
  private isAsking = false;
  private cancelNext: CancelSchedule | undefined;

  constructor(
    private readonly log: LogConnection,
    private readonly feed: RevocationFeed,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
    this.current = options.hint === undefined ? 'off' : 'connecting';
    feed.attachHints(this);
  }

  /** Whether this instance hears what it tells. */
  get state(): HintState {
    return this.current;
  }

  /** @throws AuthWiringError when the hint can never work here: a missing package, another database. */
  async prepare(): Promise<void> {
    await this.options.hint?.prepare(this.log.dataSourceOptions);
  }

  /** Connects, and goes on trying until {@link stop}; once. */
  start(): void {
    if (this.options.hint === undefined || this.started || this.stopped) return;
    this.started = true;
    void this.connect();
  }

  /** Tells the others how far the log goes now; what cannot be told is told after the next connect. */
  tell(position: number): void {
    this.position = Math.max(this.position, position);
    this.start(); // a process that only writes has no first proof
    this.sendPosition();
  }

  /** Lets what is on its way go, and ends the connection. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelNext?.();
    await this.sender?.drain();
    await this.drop();
  }

  private async connect(): Promise<void> {
    const { hint } = this.options;
    if (hint === undefined || this.stopped) return;
    const generation = ++this.generation;
    const isCurrent = (): boolean => generation === this.generation && !this.stopped;
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
      this.sender = new HintSender(
        (payload) => connection.tell(payload),
        (error) => isCurrent() && this.wasTold(error),
      );
      this.ask();
    } catch (error) {
      if (isCurrent()) this.lose(error);
    }
  }

  private async contextOf(isCurrent: () => boolean): Promise<HintContext> {
    const { id, database } = await this.log.open();
    return {
      // Two logs may share one Redis, and two applications one log.
      channel: `nestjs_logout_${id.replaceAll(/[^A-Za-z0-9]/g, '')}`.slice(0, 63),
      log: this.log.dataSourceOptions,
      query: async (sql, values) => {
        await database.read(database.dialect.statement(sql, values));
      },
      hear: (payload) => isCurrent() && this.hear(payload),
      lost: (error) => isCurrent() && this.lose(error),
    };
  }

  private sendPosition(): void {
    this.sender?.tell(writeHint({ instance: this.instance, position: this.position }));
  }

  /** The self-test: what it tells must come back. */
  private ask(): void {
    this.isAsking = true;
    this.plan(ECHO_LIMIT, () => {
      this.lose(
        new Error(`It connects and does not hear itself. ${this.options.hint?.whenUnheard}`),
      );
    });
    this.sendPosition();
  }

  private hear(payload: string): void {
    const message = readHint(payload);
    if (message === undefined) return;
    this.heardAt = this.clock.monotonic();
    if (message.instance !== this.instance) {
      this.meter.count('hints', 'heard');
      this.feed.hinted(message.position);
    } else if (this.isAsking) this.heardItself();
  }

  private heardItself(): void {
    this.isAsking = false;
    this.attempts = 0;
    if (this.current === 'polling only') this.logger.log('Hints of revocations arrive again.');
    this.current = 'listening';
    this.awaitSilence();
  }

  /** A connection can be dead and nobody be told; whatever anybody says shows that this one is not. */
  private awaitSilence(): void {
    const heardFor = this.clock.monotonic() - this.heardAt;
    if (heardFor >= SILENCE) this.ask();
    // Differently long on each instance: the first that asks answers for all.
    else this.plan(SILENCE - heardFor + Math.random() * SILENCE, () => this.awaitSilence());
  }

  private wasTold(error: unknown): void {
    if (error === undefined) {
      this.meter.count('hints', 'told');
      this.tellFailures = 0;
      return;
    }
    this.meter.count('hints', 'failed');
    if (this.tellFailures++ % 100 === 0) {
      this.logger.warn(
        `Other instances could not be told of a revocation and learn it by polling: ${messageOf(error)}`,
      );
    }
    if (!this.isAsking) this.ask();
  }

  /** The others are polled for, and it is tried again: for ever, and not by all instances at once. */
  private lose(error: unknown): void {
    if (this.current !== 'polling only') {
      this.logger.warn(
        `Hints of revocations do not arrive; a logout elsewhere counts here after the next poll. ` +
          `${this.options.hint?.name}: ${messageOf(error)}`,
      );
    }
    this.current = 'polling only';
    void this.drop();
    const limit = Math.min(BACKOFF.to, BACKOFF.from * 2 ** Math.min(this.attempts++, 10));
    this.plan(Math.random() * limit, () => void this.connect());
  }

  private async drop(): Promise<void> {
    const { connection } = this;
    this.generation++;
    this.isAsking = false;
    this.connection = undefined;
    this.sender = undefined;
    if (connection !== undefined) await this.end(connection);
  }

  private async end(connection: HintConnection): Promise<void> {
    try {
      await withinTime(connection.close(), ECHO_LIMIT, 'It did not end.');
    } catch (error) {
      this.logger.debug(`A connection for hints was not ended well: ${messageOf(error)}`);
    }
  }

  private plan(delay: number, task: () => void): void {
    this.cancelNext?.();
    if (!this.stopped) this.cancelNext = this.clock.schedule(delay, task);
  }
}
