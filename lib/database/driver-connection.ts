import type { DataSource, QueryRunner } from 'typeorm';
import { setImmediate } from 'node:timers/promises';
import type { AuthClock } from '../platform/auth-clock.js';

/** The parts of a client connection that are used: PostgreSQL's has `connection.stream`, MySQL's `stream`. */
export interface DriverConnection {
  connection?: { stream?: { destroy(): void } };
  stream?: { destroy(): void };
  end?(): Promise<void>;
  destroy?(): void;
  on?(event: 'error', listener: (error: unknown) => void): unknown;
}

/**
 * Destroys the socket at once, without waiting for the server. A PostgreSQL client is marked as ending
 * before: the pool does not reuse such a client, so the next caller cannot get a hung one.
 */
export function cut(connection: DriverConnection): void {
  if (connection.connection?.stream !== undefined) {
    connection.end?.().catch(() => undefined);
    connection.connection.stream.destroy();
    return;
  }
  // mysql2's own destroy() does not fail a statement in flight, so its caller would wait forever.
  if (connection.stream === undefined) connection.destroy?.();
  else connection.stream.destroy();
}

/** Cuts a connection, and releases its place in the pool after the pool has noticed that it is gone. */
export async function cutAndRelease(
  runner: QueryRunner,
  connection: DriverConnection,
): Promise<void> {
  cut(connection);
  await setImmediate();
  if (!runner.isReleased) await runner.release();
}

/**
 * When each prepared connection last answered. A connection that was silent for long may be dead, so it is
 * replaced before it is used. The time is measured with both clocks, because one of them may stop while the
 * process is frozen.
 */
export class LastAnswers {
  private readonly answered = new WeakMap<object, { wall: number; monotonic: number }>();

  constructor(private readonly clock: Pick<AuthClock, 'wall' | 'monotonic'>) {}

  note(connection: object): void {
    const { clock } = this;
    this.answered.set(connection, { wall: clock.wall(), monotonic: clock.monotonic() });
  }

  /** How long a connection has been silent (ms); `undefined` if it never answered. */
  silenceOf(connection: object): number | undefined {
    const last = this.answered.get(connection);
    if (last === undefined) return undefined;
    const { clock } = this;
    return Math.max(clock.wall() - last.wall, clock.monotonic() - last.monotonic);
  }
}

/** The part of `pg` that is used, as TypeORM's driver has loaded it. */
interface PgDriver {
  readonly postgres?: { readonly Client: PgClientClass };
}
type PgClientClass = new (...given: unknown[]) => {
  on(event: 'error', listener: () => void): unknown;
};

/**
 * Prevents a crash of the process when PostgreSQL is killed. Call it before `initialize()`.
 *
 * pg returns a client without a listener for its errors, and TypeORM adds one a tick later. A server that
 * is being killed can report that in the same packet as its greeting. Node then gets an `error` event
 * without a listener, and ends the process. These clients have a listener from the start. So the client's
 * next statement fails instead, as with any other broken connection.
 */
export function surviveDyingClients({ options, driver }: DataSource): void {
  const { postgres } = driver as PgDriver;
  if (options.type !== 'postgres' || postgres === undefined) return;
  const given = options.extra as { Client?: PgClientClass } | undefined;
  const Base = given?.Client ?? postgres.Client;
  class Client extends Base {
    constructor(...settings: unknown[]) {
      super(...settings);
      this.on('error', () => undefined);
    }
  }
  Object.assign(options, { extra: { ...given, Client } });
}

/** The driver's own error code, even if TypeORM wrapped the error in a QueryFailedError. */
export function errorCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { driverError } = error as { driverError?: unknown };
  if (driverError !== undefined && driverError !== error) {
    const inner = errorCodeOf(driverError);
    if (inner !== undefined) return inner;
  }
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** Whether the server sent the error. The code alone does not show it: `EPIPE` looks like an SQLSTATE. */
export function isServerError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { driverError, severity, sqlState, fatal } = error as Record<string, unknown>;
  if (driverError !== undefined && driverError !== error) return isServerError(driverError);
  return (typeof severity === 'string' || typeof sqlState === 'string') && fatal !== true;
}

/** The error codes of a server that refuses the user, the password or the name of the database. */
const REFUSALS: ReadonlySet<string> = new Set([
  '28000',
  '28P01',
  '3D000',
  'ER_ACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
  'ER_BAD_DB_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
]);

/** Whether the database refused the login of the log, for example because its password was changed. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = errorCodeOf(error);
  return (code !== undefined && REFUSALS.has(code)) || isRefusal(error.cause);
}
