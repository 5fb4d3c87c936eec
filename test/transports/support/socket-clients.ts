import { once } from 'node:events';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { Instance } from '../../support/instance.js';
import { headersOf } from './http-client.js';
import type { Answer, Client, Refusal } from './matrix.js';

interface Body {
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly statusCode?: unknown;
}

export function refusalOf(body: Body, raw: unknown): Refusal {
  return { code: body.code, reason: body.reason, status: body.statusCode, raw };
}

/** A connection for each question; the token is in `handshake.auth`, the second one in a header. */
export async function socketIoClient(instance: Instance): Promise<Client> {
  const url = await instance.app.getUrl();
  return {
    async ask(handler, { authorization, second }) {
      const socket = io(url, {
        forceNew: true,
        transports: ['websocket'],
        auth: authOf(authorization),
        ...(second === undefined ? {} : { extraHeaders: { Authorization: `Bearer ${second}` } }),
      });
      try {
        return await new Promise<Answer>((resolve, reject) => {
          socket.on('connect_error', reject);
          socket.on('exception', (body) => resolve({ refusal: refusalOf(body, body) }));
          socket.emit(handler, { some: 'data' }, (who: string) => resolve({ who }));
        });
      } finally {
        socket.disconnect();
      }
    },
  };
}

function authOf(authorization: unknown): object {
  if (typeof authorization !== 'string') return (authorization ?? {}) as object;
  const { length } = 'Bearer ';
  return { token: authorization.slice(length) };
}

/** A connection for each question; both tokens are in the headers of the upgrade. */
export async function wsClient(instance: Instance): Promise<Client> {
  const url = (await instance.app.getUrl()).replace('http', 'ws');
  return {
    async ask(handler, sent) {
      const { authorization = [] } = headersOf(sent) as { authorization?: string };
      const all = [authorization].flat().concat(sent.second ? [`Bearer ${sent.second}`] : []);
      const socket = new WebSocket(url, {
        headers: all.length === 0 ? {} : { authorization: all as unknown as string },
      });
      try {
        await once(socket, 'open');
        socket.send(JSON.stringify({ event: handler, data: 'a text' }));
        const [message] = await once(socket, 'message');
        const raw = JSON.parse(String(message));
        return typeof raw === 'string' ? { who: raw } : { refusal: refusalOf(raw.data, raw) };
      } finally {
        socket.close();
      }
    },
  };
}
