import { connect } from 'node:net';

/** An answer as it came over the wire, without the lines that differ at each call or belong to HTTP itself. */
export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Of the connection and of the moment, and not of the answer. */
const PASSING = new Set(['date', 'connection', 'keep-alive', 'etag', 'transfer-encoding']);

/** The parts of a request; `raw` pieces are sent exactly as they are. */
export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
  readonly raw?: string | Buffer;
}

/**
 * Sends bytes that `fetch` would refuse to send, on its own connection, and reads
 * until the answer is complete or the server closes the connection.
 */
export function sendRaw(url: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let received = Buffer.alloc(0);
    const finish = (): void => {
      socket.destroy();
      resolve(parse(received));
    };
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (isComplete(received.toString('latin1'), request.method)) finish();
    });
    socket.on('end', finish);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // The server closed the connection while we were still sending.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') finish();
      else reject(error);
    });
    socket.on('connect', () => socket.write(request.raw ?? encode(request)));
  });
}

function encode({ method = 'GET', path = '/me', headers = [], body }: RawRequest): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: quickstart.test'];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, Buffer.from(body)]);
}

function isComplete(text: string, method: string | undefined): boolean {
  const split = text.indexOf('\r\n\r\n');
  if (split < 0) return false;
  const status = Number(text.slice(9, 12));
  if (status < 200) return isComplete(text.slice(split + 4), method);
  if (status === 204 || method === 'HEAD') return true;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, split))?.[1];
  if (length !== undefined) return text.length - split - 4 >= Number(length);
  return text.endsWith('\r\n0\r\n\r\n');
}

function parse(received: Buffer): RawAnswer {
  let text = received.toString('utf8');
  while (/^HTTP\/1\.1 1\d\d /.test(text)) text = text.slice(text.indexOf('\r\n\r\n') + 4);
  const split = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, Math.max(0, split)).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (!PASSING.has(name)) headers[name] = line.slice(colon + 1).trim();
  }
  return { status: Number(start.slice(9, 12)) || 0, headers, body: text.slice(split + 4) };
}
