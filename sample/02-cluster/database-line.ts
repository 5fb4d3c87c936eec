import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The network between one instance and the database, which can be cut and restored. */
export class DatabaseLine {
  private readonly sockets = new Set<Socket>();
  private readonly listener: Server;
  private cutOff = false;

  private constructor(private readonly target: URL) {
    this.listener = createServer((client) => this.accept(client));
  }

  /** Listens on a free port of 127.0.0.1 and forwards everything to the server of this address. */
  static async to(url: string): Promise<DatabaseLine> {
    const line = new DatabaseLine(new URL(url));
    line.listener.listen(0, '127.0.0.1');
    await once(line.listener, 'listening');
    return line;
  }

  /** The same database through this line. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String((this.listener.address() as AddressInfo).port);
    return url.href;
  }

  get isCut(): boolean {
    return this.cutOff;
  }

  /** Breaks every connection and accepts no new one. */
  cut(): void {
    this.cutOff = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.cutOff = false;
  }

  private accept(client: Socket): void {
    if (this.cutOff) {
      client.destroy();
      return;
    }
    const standard = this.target.protocol.startsWith('postgres') ? 5432 : 3306;
    const port = Number(this.target.port || standard);
    const server = connect({ host: this.target.hostname, port, noDelay: true });
    client.setNoDelay(true);
    this.join(client, server);
    this.join(server, client);
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.pipe(to);
    from.on('error', () => undefined); // `close` follows
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
