import { Observable } from 'rxjs';
import type { AuthException } from '../errors/auth.exception.js';
import type { Row } from './watch-table.js';

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
    return new Observable((subscriber) => {
      const notify = (): void => {
        subscriber.next(signal.reason as AuthException);
        subscriber.complete();
      };
      if (signal.aborted) return notify();
      signal.addEventListener('abort', notify, { once: true });
      return () => signal.removeEventListener('abort', notify);
    });
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
