import { setTimeout } from 'node:timers/promises';
import type { TestDatabase } from './databases.js';
import { PostgresServer } from './postgres-server.js';
import { TcpProxy } from './tcp-proxy.js';

const HOST = '127.0.0.1';
const NAME = 'logout';

/**
 * Two PostgreSQL servers, one of which follows the other asynchronously, behind one address that
 * moves with the role of the primary, as a virtual address or a name does.
 */
export class PostgresPair {
  private constructor(
    /** The server that the address leads to at first. */
    readonly one: PostgresServer,
    /** Its standby, until it is promoted. */
    readonly other: PostgresServer,
    private readonly address: TcpProxy,
    private readonly replication: TcpProxy,
  ) {}

  /** Starts both, with an empty database that the standby has too. */
  static async start(): Promise<PostgresPair> {
    const one = await PostgresServer.create();
    const replication = await TcpProxy.to(HOST, one.port);
    // Before its first start the files are at rest: the simplest base backup that there is.
    const other = await one.standby(replication.port);
    await Promise.all([one.start(), other.start()]);
    await one.query(`CREATE DATABASE ${NAME}`);
    const pair = new PostgresPair(one, other, await TcpProxy.to(HOST, one.port), replication);
    await pair.replicated();
    return pair;
  }

  /** What instances connect to; it stays the same after every fail-over. */
  get database(): TestDatabase {
    const url = `postgres://postgres@${HOST}:${this.address.port}/${NAME}`;
    return { url, options: { type: 'postgres', url }, drop: () => this.remove() };
  }

  /** The network in front of the primary. */
  get network(): TcpProxy {
    return this.address;
  }

  /** Runs one statement on the database of one server, without the address. */
  query<T>(sql: string, server: PostgresServer = this.one): Promise<T[]> {
    return server.query<T>(sql, NAME);
  }

  /** Resolves when the standby has everything that the primary has committed. */
  async replicated(): Promise<void> {
    const [now] = await this.one.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn() AS lsn');
    const sql = `SELECT pg_last_wal_replay_lsn() >= '${now?.lsn}'::pg_lsn AS done`;
    while ((await this.other.query<{ done: boolean }>(sql))[0]?.done !== true) await setTimeout(20);
  }

  /** What is committed from now on will not reach the standby. */
  stopReplication(): void {
    this.replication.refuse();
  }

  /** Kills the primary at once. */
  killPrimary(): Promise<void> {
    return this.one.kill();
  }

  /** The primary that was killed comes back, on its own files. */
  restartPrimary(): Promise<void> {
    return this.one.start();
  }

  /** The standby becomes a primary, with its own timeline; no client is notified. */
  async promote(): Promise<void> {
    await this.other.query('SELECT pg_promote()');
  }

  /** The address leads to the standby that was promoted. */
  moveAddress(to: PostgresServer = this.other): void {
    this.address.redirect(HOST, to.port);
  }

  /** A fail-over: the primary is killed, and the standby takes over its role and its address. */
  async failOver(): Promise<void> {
    await this.killPrimary();
    await this.promote();
    this.moveAddress();
  }

  /** Stops both and deletes their files. */
  async remove(): Promise<void> {
    await Promise.all([this.address.close(), this.replication.close()]);
    await Promise.all([this.one.remove(), this.other.remove()]);
  }
}
