import { Agent, request } from 'node:http';
import type { Completion } from '../history/history-recorder.js';

/** An answer over HTTP, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A client gives up after this long (ms); what it asked for may have been done. */
const PATIENCE = 5_000;

/** Sends requests to one process over kept-alive connections. */
export class Caller {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 256 });
  private readonly host: string;
  private readonly port: string;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.host = hostname;
    this.port = port;
  }

  /** @throws Error when the connection broke, or no answer arrived in time. */
  send(method: string, path: string, token?: string, body?: object): Promise<HttpAnswer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = {};
      if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
      if (text !== undefined) {
        headers['content-type'] = 'application/json';
        headers['content-length'] = Buffer.byteLength(text);
      }
      const { agent, host, port } = this;
      const call = request({ agent, host, port, method, path, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          const answer = Buffer.concat(parts).toString();
          const status = response.statusCode ?? 0;
          resolve({ status, body: answer.startsWith('{') ? JSON.parse(answer) : {} });
        });
      });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      const timer = setTimeout(() => {
        call.destroy(Object.assign(new Error('no answer in time'), { code: 'no answer' }));
      }, PATIENCE);
      call.on('error', fail);
      call.end(text);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/**
 * What an answer means for the operation. A 4xx was not done. A 503 may have been done, unless it
 * came from the guard, before anything else.
 */
export function completionOf({ status, body }: HttpAnswer, good: number): Completion {
  if (status === good) return { outcome: 'ok' };
  const code = typeof body['code'] === 'string' ? body['code'] : `http ${status}`;
  const reason = typeof body['reason'] === 'string' ? body['reason'] : undefined;
  const isKnown = status !== 503 || code === 'revocation_state_unknown';
  if (status === 503) return { outcome: isKnown ? 'fail' : 'unknown', code };
  const isContract = status === 401;
  return { outcome: 'fail', code: isContract ? code : `http ${status} ${code}`, reason };
}
