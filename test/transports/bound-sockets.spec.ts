import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type LiveSocket, LiveSockets, Public, rememberHandshake } from 'nestjs-logout';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { DpopKey } from '../support/dpop-key.js';
import { type Instance, startInstance } from '../support/instance.js';
import { handlersOf } from './support/handlers.js';

const Handlers = handlersOf('@UseGuards', (name) => SubscribeMessage(name));

/** Remembers the request of ws; socket.io brings its own. */
@WebSocketGateway()
class Gateway extends Handlers implements OnGatewayConnection {
  private readonly requests = new WeakMap<object, IncomingMessage>();

  constructor(private readonly sockets: LiveSockets) {
    super();
  }

  handleConnection(client: object, request?: IncomingMessage): void {
    if (request === undefined) return;
    rememberHandshake(client, request);
    this.requests.set(client, request);
  }

  @Public()
  @SubscribeMessage('accept')
  async accept(client: LiveSocket, token: string): Promise<unknown> {
    const request = this.requests.get(client);
    return (await this.sockets.accept(client, token, { request }))?.sub;
  }

  @Public()
  @SubscribeMessage('renew')
  async renew(client: LiveSocket, token: string): Promise<unknown> {
    return (await this.sockets.renew(client, token)).sub;
  }
}

let database: TestDatabase;
let instance: Instance;
let url: string;

async function start(isWs: boolean): Promise<void> {
  database = await sqlite.migrated();
  instance = await startInstance(database, {
    providers: [Gateway],
    options: { binding: { ip: 'exact', dpop: 'optional' } },
    beforeInit: (app: INestApplication) =>
      void (isWs && app.useWebSocketAdapter(new WsAdapter(app))),
  });
  await instance.app.listen(0, '127.0.0.1');
  url = await instance.app.getUrl();
}

afterAll(async () => {
  await instance?.close();
  await database?.drop();
});

/** A token that is bound to an address, and to a key if there is one. */
async function tokenAt(ip: string, key?: DpopKey): Promise<string> {
  const dpop = key && {
    headers: { host: 'a.example', dpop: key.proof('POST', 'https://a.example/login') },
    method: 'POST',
    url: '/login',
    protocol: 'https',
  };
  const login = await instance.sessions.login(() => ({ subject: 'alice' }), { ip, dpop });
  return login?.accessToken ?? '';
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

const proven = (key: DpopKey, token: string, path: string): Record<string, string> => ({
  authorization: `DPoP ${token}`,
  dpop: key.proof('GET', url + path, { token }),
});

describe('a gateway of ws', () => {
  beforeAll(() => start(true));

  /** Sends messages over one socket, and returns the user or the code of each. */
  async function ask(headers: Record<string, string>, ...messages: [string, unknown?][]) {
    const socket = new WebSocket(url.replace('http', 'ws'), { headers });
    await once(socket, 'open');
    const seen: unknown[] = [];
    for (const [event, data = ''] of messages) {
      socket.send(JSON.stringify({ event, data }));
      const [message] = await once(socket, 'message');
      const answer = JSON.parse(String(message)) as { data?: { code?: unknown } };
      seen.push(typeof answer === 'string' ? answer : answer.data?.code);
    }
    socket.close();
    return seen;
  }

  it('a ws gateway accepts a token at the address of its login, and at no other', async () => {
    const home = bearer(await tokenAt('127.0.0.1'));
    expect(await ask(home, ['guarded'], ['guarded'])).toEqual(['alice', 'alice']);
    const away = bearer(await tokenAt('203.0.113.7'));
    expect(await ask(away, ['guarded'])).toEqual(['binding_mismatch']);
  });

  it('a ws gateway accepts the proof of the handshake for each message, and none of another path', async () => {
    const key = new DpopKey();
    const token = await tokenAt('127.0.0.1', key);
    const good = proven(key, token, '/');
    expect(await ask(good, ['guarded'], ['guarded'])).toEqual(['alice', 'alice']);
    expect(await ask(proven(key, token, '/other'), ['guarded'])).toEqual(['dpop_proof_invalid']);
    expect(await ask(good, ['guarded'])).toEqual(['dpop_proof_invalid']);
    expect(await ask(bearer(token), ['guarded'])).toEqual(['binding_mismatch']);
  });

  it('LiveSockets accepts and renews tokens of the key that the handshake proved', async () => {
    const key = new DpopKey();
    const token = await tokenAt('127.0.0.1', key);
    const renewed = await tokenAt('127.0.0.1', key);
    const foreign = await tokenAt('127.0.0.1', new DpopKey());
    const seen = await ask(
      proven(key, token, '/'),
      ['accept', token],
      ['guarded'],
      ['renew', renewed],
      ['guarded'],
      ['renew', foreign],
    );
    expect(seen.slice(0, 4)).toEqual(['alice', 'alice', 'alice', 'alice']);
    expect(seen[4]).not.toBe('alice');
  });
});

describe('a gateway of socket.io', () => {
  beforeAll(async () => {
    await instance.close();
    await database.drop();
    await start(false);
  });

  async function ask(options: object, count = 1): Promise<unknown[]> {
    const socket = io(url, { forceNew: true, transports: ['websocket'], ...options });
    const seen: unknown[] = [];
    try {
      for (let i = 0; i < count; i++) {
        const answer = await new Promise((resolve, reject) => {
          socket.once('connect_error', reject);
          socket.once('exception', ({ code }: { code: unknown }) => resolve(code));
          socket.emit('guarded', {}, resolve);
        });
        seen.push(answer);
      }
    } finally {
      socket.disconnect();
    }
    return seen;
  }

  it('a socket.io gateway accepts a token at the address of its login, and at no other', async () => {
    const auth = { token: await tokenAt('127.0.0.1') };
    expect(await ask({ auth }, 2)).toEqual(['alice', 'alice']);
    const away = { token: await tokenAt('203.0.113.7') };
    expect(await ask({ auth: away })).toEqual(['binding_mismatch']);
  });

  it('a socket.io gateway accepts the proof of the handshake for each message, and no bound token in auth', async () => {
    const key = new DpopKey();
    const token = await tokenAt('127.0.0.1', key);
    const extraHeaders = proven(key, token, '/socket.io/');
    expect(await ask({ extraHeaders }, 2)).toEqual(['alice', 'alice']);
    expect(await ask({ auth: { token } })).toEqual(['binding_mismatch']);
  });
});
