import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** The answer, and when it arrived by this process's monotonic clock (ms). */
export interface Probed {
  readonly status: number;
  readonly sent: number;
  readonly received: number;
}

/** One kept-alive connection to an instance, one request at a time: little of the time is its own. */
export class Probe {
  private constructor(private readonly socket: Socket) {}

  static async open(port: number): Promise<Probe> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Probe(socket);
  }

  /** @param call - Method and path: `'GET /me'`. */
  ask(call: string, token: string): Promise<Probed> {
    const sent = performance.now();
    return new Promise((resolve, reject) => {
      const closed = (): void => reject(new Error(`The instance hung up at ${call}.`));
      this.socket.once('close', closed);
      // The answers are small: each comes in one piece.
      this.socket.once('data', (bytes: Buffer) => {
        this.socket.off('close', closed);
        resolve({
          status: Number(bytes.toString('latin1', 9, 12)),
          sent,
          received: performance.now(),
        });
      });
      this.socket.write(
        `${call} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\n` +
          `${call.startsWith('GET') ? '' : 'Content-Length: 0\r\n'}\r\n`,
      );
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
