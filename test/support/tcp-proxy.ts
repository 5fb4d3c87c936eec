import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { DataSourceOptions } from 'typeorm';
import type { TestDatabase } from './databases.js';

/**
 * What ends a transaction: the word, and not the end of `READ COMMITTED`, or the name of the statement
 * that is a whole one, or that statement.
 */
export const COMMIT = /COMMIT(?!TED)|nestjs_logout_append|WITH allowed AS/;

/** What only a poll sends: a column that no write reads, or the name under which its plan is kept. */
export const POLL = /log_id.*UNION ALL|nestjs_logout_poll/s;

/**
 * What becomes of bytes that a client sent.
 *
 * - `pass`: they go on.
 * - `cut`: they never arrive, and both ends see the connection break.
 * - `swallow answer`: they arrive, and the connection breaks when the server answers: it did what it
 *   was asked, and the client does not know.
 * - `freeze`: they are kept, and nothing moves on this connection until {@link TcpProxy.thaw}.
 */
export type Fate = 'pass' | 'cut' | 'swallow answer' | 'freeze';

/** Asked for each piece of bytes that a client sends. */
export type Watcher = (bytes: string) => Fate;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Set when the next answer is to be lost; called when it was. */
  onAnswer: (() => void) | undefined;
  /** What waits while the connection is frozen, in its order; `undefined` while it is not. */
  held: (() => void)[] | undefined;
}

/**
 * A network between an instance and its database that a test can slow down, cut and freeze.
 *
 * It runs in the process of the test, knows nothing of the protocols that run through it, and looks
 * only at what the clients send.
 */
export class TcpProxy {
  private readonly links = new Set<Link>();
  private readonly listener: Server;
  private watcher: Watcher = () => 'pass';
  private onLost: () => void = () => undefined;
  private isRefusing = false;
  private isFrozen = false;
  private delay = 0;
  /** How many connections were made through it. */
  connections = 0;
  /** How many were turned away. */
  refused = 0;

  private constructor(
    private host: string,
    private target: number,
  ) {
    this.listener = createServer((client) => this.accept(client));
  }

  /** Listens on a free port of 127.0.0.1 and hands everything on to `host:port`. */
  static async to(host: string, port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(host, port);
    proxy.listener.listen(0, '127.0.0.1');
    await once(proxy.listener, 'listening');
    return proxy;
  }

  /** Where it listens, as `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How many connections there are. */
  get open(): number {
    return this.links.size;
  }

  /** The same database, reached through a proxy of its own. */
  static async before(database: TestDatabase): Promise<{ proxy: TcpProxy; through: TestDatabase }> {
    const url = new URL(database.url);
    const standard = url.protocol.startsWith('postgres') ? 5432 : 3306;
    const proxy = await TcpProxy.to(url.hostname, Number(url.port || standard));
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    const given = url.href;
    const options = {
      ...database.options,
      url: database.options.type === 'mariadb' ? given.replace(/^mysql:/, 'mariadb:') : given,
    } as DataSourceOptions;
    return { proxy, through: { url: given, options, drop: () => database.drop() } };
  }

  /** Where it listens. */
  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Breaks every connection; the next ones lead elsewhere, as when an address moves to another host. */
  redirect(host: string, port: number): void {
    this.host = host;
    this.target = port;
    this.cut();
  }

  /** New connections lead to another port of the same host; those there are stay where they lead. */
  lead(port: number): void {
    this.target = port;
  }

  /** Asks `watcher` about everything that clients send from now on. */
  watch(watcher: Watcher): void {
    this.watcher = watcher;
  }

  /**
   * Lets one fate befall the next bytes that match, then passes everything.
   *
   * @returns a promise that resolves when it has: an answer is lost only after the server gave it.
   */
  next(pattern: RegExp, fate: Fate): Promise<void> {
    return new Promise((resolve) => {
      this.watch((bytes) => {
        if (!pattern.test(bytes)) return 'pass';
        this.watch(() => 'pass');
        if (fate === 'swallow answer') this.onLost = resolve;
        else resolve();
        return fate;
      });
    });
  }

  /** Breaks every connection there is. */
  cut(): void {
    for (const link of this.links) this.breakOff(link);
  }

  /** Breaks every connection and takes no new one, as if the server were gone. */
  refuse(): void {
    this.isRefusing = true;
    this.cut();
  }

  /** Takes connections again, after {@link refuse}. */
  admit(): void {
    this.isRefusing = false;
  }

  /** Nothing moves any more, on old connections and new ones, and no side is notified. */
  freeze(): void {
    this.isFrozen = true;
    for (const link of this.links) link.held ??= [];
  }

  /** The existing connections go silent for ever, and no side is notified; new ones work. */
  forget(): void {
    for (const link of this.links) link.held ??= [];
  }

  /** Everything that was held goes on, in its order. */
  thaw(): void {
    this.isFrozen = false;
    for (const link of this.links) {
      const held = link.held ?? [];
      link.held = undefined;
      for (const go of held) go();
    }
  }

  /** Holds back each answer of the server for so many milliseconds. */
  slowDown(milliseconds: number): void {
    this.delay = milliseconds;
  }

  /** Ends it, and every connection through it. */
  async close(): Promise<void> {
    this.refuse();
    this.listener.close();
    await once(this.listener, 'close');
  }

  private accept(client: Socket): void {
    if (this.isRefusing) {
      this.refused++;
      client.destroy();
      return;
    }
    this.connections++;
    const server = connect({ host: this.host, port: this.target, noDelay: true });
    const link: Link = {
      client,
      server,
      onAnswer: undefined,
      held: this.isFrozen ? [] : undefined,
    };
    this.links.add(link);
    client.setNoDelay(true);
    client.on('data', (bytes) => this.fromClient(link, bytes));
    server.on('data', (bytes) => this.fromServer(link, bytes));
    for (const socket of [client, server]) {
      socket.on('error', () => undefined); // `close` follows
      socket.on('close', () => this.move(link, () => this.breakOff(link)));
    }
  }

  private fromClient(link: Link, bytes: Buffer): void {
    const fate = link.held === undefined ? this.watcher(bytes.toString('latin1')) : 'pass';
    if (fate === 'cut') {
      this.breakOff(link);
      return;
    }
    if (fate === 'swallow answer') link.onAnswer = this.onLost;
    if (fate === 'freeze') link.held ??= [];
    this.move(link, () => link.server.write(bytes));
  }

  private fromServer(link: Link, bytes: Buffer): void {
    if (link.onAnswer !== undefined) {
      this.breakOff(link);
      link.onAnswer();
      return;
    }
    const go = (): void => this.move(link, () => link.client.write(bytes));
    if (this.delay > 0) setTimeout(go, this.delay);
    else go();
  }

  private move(link: Link, go: () => void): void {
    if (link.held === undefined) go();
    else link.held.push(go);
  }

  private breakOff(link: Link): void {
    if (!this.links.delete(link)) return;
    link.client.destroy();
    link.server.destroy();
  }
}
