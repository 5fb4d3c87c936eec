import type { DataSource, QueryRunner } from 'typeorm';
import { setImmediate } from 'node:timers/promises';
import type { AuthClock } from '../platform/auth-clock.js';

/** A client connection as the drivers of PostgreSQL (`connection.stream`) and MySQL (`stream`) have it. */
export interface DriverConnection {
  connection?: { stream?: { destroy(): void } };
  stream?: { destroy(): void };
  end?(): Promise<void>;
  destroy?(): void;
  on?(event: 'error', listener: (error: unknown) => void): unknown;
}

/**
 * Cuts the socket at once. A client of PostgreSQL is marked as ending first: the pool takes no such
 * client back, and so never hands a hung one to the next caller.
 */
export function cut(connection: DriverConnection): void {
  if (connection.connection?.stream !== undefined) {
    connection.end?.().catch(() => undefined);
    connection.connection.stream.destroy();
    return;
  }
  // mysql2's own destroy() only says that it wants to end: a statement in flight would never fail.
  if (connection.stream === undefined) connection.destroy?.();
  else connection.stream.destroy();
}

/** Cuts a connection, and gives its place in the pool back once the pool has seen that it is gone. */
export async function cutAndRelease(
  runner: QueryRunner,
  connection: DriverConnection,
): Promise<void> {
  cut(connection);
  await setImmediate();
  if (!runner.isReleased) await runner.release();
}

/**
 * When each prepared connection last answered, on both clocks: one of them may stop while the process is
 * frozen. One that was silent for long may be dead, and is replaced before a statement is risked on it.
 */
export class LastAnswers {
  private readonly answered = new WeakMap<object, { wall: number; monotonic: number }>();

  constructor(private readonly clock: Pick<AuthClock, 'wall' | 'monotonic'>) {}

  note(connection: object): void {
    const { clock } = this;
    this.answered.set(connection, { wall: clock.wall(), monotonic: clock.monotonic() });
  }

  /** For how long a connection has been silent (ms); `undefined` for one that never answered. */
  silenceOf(connection: object): number | undefined {
    const last = this.answered.get(connection);
    if (last === undefined) return undefined;
    const { clock } = this;
    return Math.max(clock.wall() - last.wall, clock.monotonic() - last.monotonic);
  }
}

/** What is used of pg, as TypeORM's driver has loaded it. */
interface PgDriver {
  readonly postgres?: { readonly Client: PgClientClass };
}
type PgClientClass = new (...given: unknown[]) => {
  on(event: 'error', listener: () => void): unknown;
};

/**
 * Keeps the process alive when PostgreSQL is killed. Call it before `initialize()`.
 *
 * pg hands a client out with no listener for its errors, and TypeORM adds one a tick later. A server
 * that is being killed can report that in the same packet as its greeting: an `error` event without
 * a listener, which ends the process. These clients listen from the start, so that the client's next
 * statement fails instead, as for any other broken connection.
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

/** The driver's own error code, also where TypeORM wrapped the error in its QueryFailedError. */
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

/** Whether the server itself sent the error; a code such as EPIPE only looks like an SQLSTATE. */
export function isServerError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { driverError, severity, sqlState, fatal } = error as Record<string, unknown>;
  if (driverError !== undefined && driverError !== error) return isServerError(driverError);
  return (typeof severity === 'string' || typeof sqlState === 'string') && fatal !== true;
}

/** The database is there and says no: to the user, to the password, or to the name of the database. */
const REFUSALS: ReadonlySet<string> = new Set([
  '28000',
  '28P01',
  '3D000',
  'ER_ACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
  'ER_BAD_DB_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
]);

/** Whether the database refused to let the log connect, as it does after its password was changed. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = errorCodeOf(error);
  return (code !== undefined && REFUSALS.has(code)) || isRefusal(error.cause);
}
