import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers';
import { defer, fromEvent, map, type Observable, of, take } from 'rxjs';
import type { AuthException } from '../errors/auth.exception.js';
import type { AuthMeter } from '../events/auth-meter.service.js';
import { messageOf } from '../platform/log-text.js';
import type { Row } from './watch-table.js';

/** How many fire in one turn of the event loop: closing 100,000 sockets must not delay the next poll. */
const TURN = 200;

/** Makes the refusal when it is needed: creating an exception costs more than all the rest. */
export type Ending = () => AuthException;

/** What many watched tokens share: the registry, the issuer, the key and the policy. */
export interface WatchGroup {
  readonly name: string;
  readonly iss: string;
  readonly kid: string | undefined;
  /** The tolerated staleness (ms), from `RevocationDecider.toleranceOf()`. */
  readonly upTo: number;
  readonly release: (watch: Watch) => void;
  /** What a watch that was ended and has not fired is going to fire. */
  readonly endingOf: (watch: Watch) => AuthException | undefined;
  /** Watched tokens of this group. */
  size: number;
}

/**
 * A watched token, from {@link LiveTokens.watch}. It ends at most once.
 *
 * A signal or an Observable is made when it is first asked for; the callback `onEnd` costs least.
 *
 * @publicApi
 */
export interface LiveToken {
  /** The refusal that ended the token, with `code` and `reason`; `undefined` while it is good. */
  readonly end: AuthException | undefined;
  /** Aborts when the token ends; its `reason` is the {@link AuthException}. */
  readonly signal: AbortSignal;
  /** Emits the {@link AuthException} once, when the token ends, and completes. */
  readonly ended: Observable<AuthException>;
  /** Stops watching, because the connection is closed. Nothing fires afterwards. A second call does nothing. */
  release(): void;
}

/** What the registry holds of one token: its ids, and whom to notify. */
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

  /** Called by the registry, after it has removed this. */
  fire(end: AuthException): void {
    const { onEnd } = this;
    this.onEnd = undefined;
    this.result = end;
    this.controller?.abort(end);
    onEnd?.(end);
  }
}

/**
 * The tokens that have ended and have not fired. They fire after the event was applied, never within it:
 * what a callback does, or throws, cannot disturb the feed.
 */
export class EndingQueue {
  private readonly logger = new Logger('LiveTokens');
  private readonly waiting = new Map<Watch, Ending>();

  constructor(private readonly meter: AuthMeter) {}

  add(watch: Watch, ending: Ending): void {
    if (this.waiting.size === 0) queueMicrotask(this.run);
    this.waiting.set(watch, ending);
  }

  /** What it is going to fire; `undefined` for one that does not wait. */
  find(watch: Watch): AuthException | undefined {
    const ending = this.waiting.get(watch);
    if (ending === undefined) return undefined;
    const end = ending();
    this.waiting.set(watch, () => end);
    return end;
  }

  /** It was released before it fired. */
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
