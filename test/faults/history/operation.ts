/** What a client can ask of an instance. */
export type OperationKind =
  'login' | 'refresh' | 'me' | 'logout' | 'logoutOthers' | 'logoutAll' | 'health' | 'settle';

/**
 * How it ended, as far as the client can know.
 *
 * - `ok`: it was done.
 * - `fail`: it was surely not done.
 * - `unknown`: no answer, or one that leaves it open; it may have been done, or be done yet.
 */
export type Outcome = 'ok' | 'fail' | 'unknown';

/** One process of an instance, from its start to its end. */
export interface Incarnation {
  readonly instance: string;
  /** Just before the process was started. */
  readonly started: number;
}

/** A time in which nothing that an instance asked of the database could be answered. */
export interface Isolation {
  readonly instance: string;
  readonly from: number;
  to: number;
}

/** One call and its result; every time is of the observer's one monotonic clock (ms). */
export interface Operation {
  readonly kind: OperationKind;
  /** Index into {@link History.incarnations}. */
  readonly incarnation: number;
  readonly subject: string;
  /**
   * What is revoked together: a login with all its tokens. The id of a login is known when it is
   * answered.
   */
  session: string;
  readonly invoked: number;
  /** Infinity while it is not answered. */
  completed: number;
  outcome: Outcome;
  /** The code of a refusal, or how the connection failed. */
  code?: string | undefined;
  /** Why the session is over, as reported to its owner. */
  reason?: string | undefined;
  /** The refresh token that was presented. */
  readonly presented?: string | undefined;
  /** The refresh token that was issued in its place. */
  successor?: string | undefined;
  /**
   * The observer saw that it was done, though its caller got no answer (a lost answer to COMMIT).
   */
  isCommitted?: boolean | undefined;
}

/** Everything that one observer saw. */
export interface History {
  readonly incarnations: readonly Incarnation[];
  readonly isolations: readonly Isolation[];
  readonly operations: readonly Operation[];
}
