import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { isRefusal } from '../database/driver-connection.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { AuthClock, passTime } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { RevocationFeed } from './feed/revocation-feed.service.js';
import { LogConnection } from './log/log-connection.service.js';
import { LogPositions } from './log/log-positions.service.js';
import { RevocationLog } from './log/revocation-log.service.js';
import { RevocationPurge } from './log/revocation-purge.service.js';
import { PushLink } from './push/push-link.service.js';

/** The pause before a refused connection is tried again (ms). */
const REFUSED_PAUSE = 500;

/**
 * Starts and stops everything in `lib/revocation`. At boot: the first load, the feed and the purge.
 * At shutdown: the last writes, before the connections close.
 */
@Injectable()
export class RevocationLifecycle
  implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger('AuthModule');

  constructor(
    private readonly connection: LogConnection,
    private readonly feed: RevocationFeed,
    private readonly log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly purge: RevocationPurge,
    private readonly push: PushLink,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Waits at most `bootTimeout` for the first load. After that the application starts anyway, and
   * guarded routes answer 503 until the log is loaded. So an outage of the database does not stop a
   * deploy.
   *
   * @throws AuthWiringError for what a retry cannot fix, such as missing tables or refused
   * credentials.
   */
  async onApplicationBootstrap(): Promise<void> {
    await this.push.prepare();
    if (!this.options.follow) return this.startWriting();
    await this.within(this.options.bootTimeout, this.feed.start());
    const { failure, ready } = this.feed;
    const reason = this.fatalOf(failure);
    const isOver = reason instanceof AuthWiringError || (!ready && reason !== undefined);
    if (isOver) throw await this.bootError(reason);
    if (!ready) {
      this.logger.warn(
        'The revocation log is not loaded yet. Guarded routes answer 503 until it is. The library tries again.',
      );
    }
    this.purge.start();
  }

  /**
   * For a process that only writes (`follow: false`). If the database can be reached, it creates
   * the tables and registers its longest token lifetime. If not, the first login registers it.
   */
  private async startWriting(): Promise<void> {
    this.logger.log(
      'This process only writes (follow: false): it does not follow the revocation log, and its guards answer 503.',
    );
    let failure: unknown;
    try {
      if (await this.within(this.options.bootTimeout, this.register())) return;
    } catch (error) {
      failure = error;
    }
    const reason = this.fatalOf(failure);
    if (reason !== undefined) throw await this.bootError(reason);
    const why = failure === undefined ? '.' : `: ${messageOf(failure)}`;
    this.logger.warn(`The revocation log cannot be reached yet${why}`);
  }

  /**
   * Registers this process. It retries refused credentials until `bootTimeout`, because an operator
   * may correct them while the boot waits.
   */
  private async register(): Promise<void> {
    const deadline = this.clock.monotonic() + this.options.bootTimeout;
    for (;;) {
      try {
        return await this.log.register();
      } catch (error) {
        const isRefused = isRefusal(error) || this.connection.refusal !== undefined;
        const isOver = this.clock.monotonic() + REFUSED_PAUSE >= deadline;
        if (!isRefused || isOver || error instanceof AuthWiringError) throw error;
        this.logger.warn(`The revocation log cannot be opened yet: ${messageOf(error)}`);
        await passTime(this.clock, REFUSED_PAUSE);
      }
    }
  }

  /**
   * Why the boot must stop: an error that no retry can fix, or a refusal by the database. A refusal
   * still counts if a later attempt got no answer, because silence does not mean that the
   * credentials are accepted now.
   */
  private fatalOf(failure: unknown): unknown {
    const isFatal = failure instanceof AuthWiringError || isRefusal(failure);
    return isFatal ? failure : this.connection.refusal;
  }

  /**
   * The error that stops the boot. Nest does not call the shutdown hooks of an application that did
   * not start, so the connections are closed here.
   */
  private async bootError(failure: unknown): Promise<AuthWiringError> {
    await this.onApplicationShutdown();
    if (failure instanceof AuthWiringError) return failure;
    const error = new AuthWiringError(
      `AuthModule: the database refuses the revocation log: ${messageOf(failure)}.`,
      'Correct the user, the password or the name of the database in the options of the DataSource.',
      'If the database is created after the application starts, set a longer bootTimeout.',
    );
    error.cause = failure;
    return error;
  }

  /** Whether the task finished within `time` ms. A late task keeps running. */
  private async within(time: number, task: Promise<void>): Promise<boolean> {
    let cancel: (() => void) | undefined;
    const late = new Promise<false>((resolve) => {
      cancel = this.clock.schedule(time, () => resolve(false), true);
    });
    try {
      return await Promise.race([task.then(() => true), late]);
    } finally {
      cancel?.();
    }
  }

  /**
   * Writes what is queued. Requests still run after this hook, so {@link onApplicationShutdown}
   * drains once more.
   */
  async beforeApplicationShutdown(): Promise<void> {
    await this.log.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.purge.stop();
    // The feed stops before the writes are drained: its last answer may start a write, which must
    // finish before the connections close.
    await this.feed.stop();
    await Promise.all([this.log.drain(), this.positions.drain()]);
    await this.push.stop();
    await this.connection.close();
  }
}
