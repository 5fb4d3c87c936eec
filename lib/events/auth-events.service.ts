import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Observable, Subject } from 'rxjs';
import { createHmac, hash } from 'node:crypto';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';

/** The type of an event. New types may be added, so ignore types that you do not know. @publicApi */
export type AuthEventType =
  | 'login'
  | 'login_refused'
  | 'login_confirmed'
  | 'refresh'
  | 'refresh_refused'
  | 'refresh_reused'
  | 'logout'
  | 'account_locked'
  | 'account_unlocked'
  | 'account_disabled'
  | 'account_enabled'
  | 'account_removed'
  | 'password_changed'
  | 'claims_changed'
  | 'key_revoked'
  | 'api_token_issued'
  | 'api_token_revoked'
  | 'binding_mismatch'
  | 'revocation_state_unknown'
  | 'accepted_stale'
  | 'staleness_override'
  | 'observed'
  | 'history_lost'
  | 'clocks_differ';

/**
 * What was revoked: `client`, `grant` and `subject` are all sessions of a client, a grant or an account.
 *
 * @publicApi
 */
export type AuthEventScope =
  'token' | 'session' | 'client' | 'grant' | 'subject' | 'key' | 'issuer';

/**
 * One event for an audit, such as a login or a logout. It contains no token, secret or cookie. The ids of
 * accounts and sessions are hashed; the same id always has the same hash. `actor` and `requestId` are sent as
 * your application passed them.
 *
 * @publicApi
 */
export interface AuthEvent {
  /** What happened. */
  readonly type: AuthEventType;
  /** When it was sent, by this host's clock. */
  readonly at: Date;
  /** The hash of the account. Compare it with `AuthEvents.subjectHash(subject)`. */
  readonly subject?: string | undefined;
  /** The hash of the session. */
  readonly session?: string | undefined;
  /** What a logout or another revocation ended; of `api_token_issued`, `token`. */
  readonly scope?: AuthEventScope | undefined;
  /**
   * The reason of a revocation, or the code of a refusal. For some types it is something else:
   *
   * - `accepted_stale`: the policy that accepted the token, `open`, `stale_for` or `override`
   * - `observed`: the code with which the request would have been refused
   * - `staleness_override`: `begun`, `ended` or `expired`
   * - `clocks_differ`: the clock that stepped, `host` or `database`; `unknown` at a boot
   */
  readonly reason?: string | undefined;
  /** Who did it, as passed by the caller. */
  readonly actor?: string | undefined;
  /** The request in which it happened, as passed by the caller. */
  readonly requestId?: string | undefined;
  /** `refresh_reused`: how the used token was presented again; see `ReuseClass`. */
  readonly reuse?: 'recent' | 'orphaned' | 'stale' | 'after_end' | undefined;
  /** `history_lost`: how many unexpired revocations this instance knows and the database no longer has. */
  readonly lost?: number | undefined;
}

/** An event before its time is set and its ids are hashed. */
export interface AuthEventDraft extends Omit<AuthEvent, 'at' | 'subject' | 'session'> {
  readonly subject?: string | undefined;
  readonly sessionId?: string | undefined;
}

/**
 * An Observable of the logins, refreshes and logouts of this instance ({@link AuthEvent}). Use it for an
 * audit log, for a mail about a stolen token, or for metrics. Each instance reports only its own calls.
 *
 * An event is sent after the call has taken effect. Events are lost while there is no subscriber. An error
 * that a subscriber throws does not undo a logout; rxjs reports it as unhandled. The Observable completes at
 * shutdown.
 *
 * @example
 * ```ts
 * events.pipe(filter(({ type }) => type === 'refresh_reused')).subscribe((event) => audit(event));
 * ```
 * @publicApi
 */
@Injectable()
export class AuthEvents extends Observable<AuthEvent> implements OnApplicationShutdown {
  private readonly sent = new Subject<AuthEvent>();
  private hasWarned = false;

  constructor(private readonly options: ResolvedAuthOptions) {
    super((subscriber) => this.sent.subscribe(subscriber));
  }

  /**
   * Returns the hash that events contain for an account, as 32 hexadecimal digits. Without the option
   * `subjectHashKey`, anyone can compute it for a known id.
   */
  subjectHash(subject: string): string {
    return this.hashOf('subject', subject);
  }

  /** Sends an event, if there is a subscriber. @internal */
  tell({ subject, sessionId, ...draft }: AuthEventDraft): void {
    if (!this.sent.observed) return;
    this.sent.next(
      Object.freeze({
        ...draft,
        at: new Date(),
        subject: subject === undefined ? undefined : this.subjectHash(subject),
        session: sessionId === undefined ? undefined : this.hashOf('session', sessionId),
      }),
    );
  }

  onApplicationShutdown(): void {
    this.sent.complete();
  }

  /** The issuer and the kind are in the hash: equal ids of two applications, or of two kinds, differ. */
  private hashOf(kind: string, id: string): string {
    const text = JSON.stringify(['nestjs-logout/event', this.options.issuer, kind, id]);
    const { subjectHashKey: key } = this.options;
    if (key !== undefined) return createHmac('sha256', key).update(text).digest('hex').slice(0, 32);
    this.warn();
    return hash('sha256', text, 'hex').slice(0, 32);
  }

  private warn(): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    new Logger('AuthEvents').warn(
      'AuthEvents hashes account ids without a key: anyone who reads the events can find an account by trying all ids. ' +
        'Set AuthModule.forRoot({ subjectHashKey: … }), 32 random bytes that you keep as long as the events.',
    );
  }
}
