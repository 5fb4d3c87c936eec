import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers';
import { defer, fromEvent, map, type Observable, of, take } from 'rxjs';
import type { AuthException } from '../errors/auth.exception.js';
import type { AuthMeter } from '../events/auth-meter.service.js';
import { messageOf } from '../platform/log-text.js';
import type { Row } from './watch-table.js';

/** How many watches fire in one turn of the event loop. Closing 100,000 sockets must not delay the next poll. */
const TURN = 200;

/** Creates the exception on demand, because creating an exception costs more than the rest of the work. */
export type Ending = () => AuthException;

/** What many watched tokens have in common: the registry, the issuer, the key and the policy. */
export interface WatchGroup {
  readonly name: string;
  readonly iss: string;
  readonly kid: string | undefined;
  /** The tolerated staleness (ms), from `RevocationDecider.toleranceOf()`. */
  readonly upTo: number;
  readonly release: (watch: Watch) => void;
  /** The exception of a watch that has ended but has not fired yet. */
  readonly endingOf: (watch: Watch) => AuthException | undefined;
  /** The number of watched tokens in this group. */
  size: number;
}

/**
 * A watched token, from {@link LiveTokens.watch}. It ends at most once.
 *
 * The signal and the Observable are created on first access. The callback `onEnd` is the cheapest.
 *
 * @publicApi
 */
export interface LiveToken {
  /** The exception that ended the token, with `code` and `reason`; `undefined` while the token is valid. */
  readonly end: AuthException | undefined;
  /** Aborts when the token ends; its `reason` is the {@link AuthException}. */
  readonly signal: AbortSignal;
  /** Emits the {@link AuthException} once, when the token ends, and completes. */
  readonly ended: Observable<AuthException>;
  /**
   * Stops watching, because the connection is closed. Nothing fires after this call. A second call does nothing.
   */
  release(): void;
}

/** The registry's entry for one token: its ids and its callbacks. */
export class Watch implements LiveToken, Row {
  row = 0;
  private controller: AbortController | undefined = undefined;
  private result: AuthException | undefined = undefined;

  constructor(
    readonly group: WatchGroup,
    readonly sub: string | undefined,
    readonly sid: string | undefined,
    readonly jti: string | undefined,
    private onEnd: ((end: AuthException) => void) | undefined,
  ) {}

  get end(): AuthException | undefined {
    return this.result ?? (this.row === 0 ? this.group.endingOf(this) : undefined);
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.result !== undefined) this.controller.abort(this.result);
    return this.controller.signal;
  }

  get ended(): Observable<AuthException> {
    const { signal } = this;
    return defer(() => (signal.aborted ? of(signal) : fromEvent(signal, 'abort'))).pipe(
      map(() => signal.reason as AuthException),
      take(1),
    );
  }

  release(): void {
    this.group.release(this);
    this.onEnd = undefined;
    this.controller = undefined;
  }

  /** Called by the registry after it has removed this watch. */
  fire(end: AuthException): void {
    const { onEnd } = this;
    this.onEnd = undefined;
    this.result = end;
    this.controller?.abort(end);
    onEnd?.(end);
  }
}

/**
 * Tokens that have ended but have not fired yet. They fire after the event has been applied, never while it is
 * applied, so a callback that acts or throws cannot disturb the feed.
 */
export class EndingQueue {
  private readonly logger = new Logger('LiveTokens');
  private readonly waiting = new Map<Watch, Ending>();

  constructor(private readonly meter: AuthMeter) {}

  add(watch: Watch, ending: Ending): void {
    if (this.waiting.size === 0) queueMicrotask(this.run);
    this.waiting.set(watch, ending);
  }

  /** The exception that a watch is going to fire; `undefined` if the watch is not in the queue. */
  find(watch: Watch): AuthException | undefined {
    const ending = this.waiting.get(watch);
    if (ending === undefined) return undefined;
    const end = ending();
    this.waiting.set(watch, () => end);
    return end;
  }

  /** Drops a watch that was released before it fired. */
  forget(watch: Watch): void {
    this.waiting.delete(watch);
  }

  private readonly run = (): void => {
    let left = TURN;
    for (const [watch, ending] of this.waiting) {
      if (left-- === 0) return void setImmediate(this.run);
      this.waiting.delete(watch);
      const end = ending();
      this.meter.liveEnded[end.code] = (this.meter.liveEnded[end.code] ?? 0) + 1;
      try {
        watch.fire(end);
      } catch (error) {
        this.logger.error(`A callback of LiveTokens.watch() threw: ${messageOf(error)}`);
      }
    }
  };
}
