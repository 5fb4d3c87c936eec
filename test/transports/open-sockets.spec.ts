import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import {
  type HandshakeRequest,
  type LiveSocket,
  LiveSockets,
  Public,
  rememberHandshake,
  TokenService,
} from 'nestjs-logout';
import { WebSocket } from 'ws';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';

import { type Handler, handlersOf } from './support/handlers.js';

const OWN = 'https://app.example.com';

const Handlers = handlersOf('@UseGuards', (name) => SubscribeMessage(name));
@WebSocketGateway()
class Gateway extends Handlers {
  constructor(private readonly sockets: LiveSockets) {
    super();
  }

  handleConnection(client: object, request: IncomingMessage): void {
    rememberHandshake(client, request);
  }

  /** As an application does that takes a renewed token on the open socket. */
  @Public()
  @SubscribeMessage('renew')
  renew(client: object, token: string): string {
    rememberHandshake(client, { headers: { authorization: `Bearer ${token}` } });
    return 'renewed';
  }

  @Public()
  @SubscribeMessage('accept')
  async accept(client: LiveSocket, token: string): Promise<unknown> {
    return (await this.sockets.accept(client, token))?.sub;
  }

  @Public()
  @SubscribeMessage('renewLive')
  async renewLive(client: LiveSocket, token: string): Promise<unknown> {
    return (await this.sockets.renew(client, token)).sub;
  }
}

let database: TestDatabase;
let instance: Instance;
let url: string;

beforeAll(async () => {
  database = await sqlite.migrated();
  instance = await startInstance(database, {
    providers: [Gateway],
    options: { http: { verifyCredentials: () => null, cookies: { origins: [OWN] } } } as object,
    beforeInit: (app: INestApplication) => void app.useWebSocketAdapter(new WsAdapter(app)),
  });
  await instance.app.listen(0, '127.0.0.1');
  url = (await instance.app.getUrl()).replace('http', 'ws');
});
afterAll(async () => {
  await instance?.close();
  await database?.drop();
});

/** An open socket, and what the gateway says to each message. */
async function open(headers: Record<string, string>) {
  const socket = new WebSocket(url, { headers });
  await once(socket, 'open');
  const answers: unknown[] = [];
  socket.on('message', (text) => {
    const answer = JSON.parse(String(text));
    answers.push(typeof answer === 'string' ? answer : answer.data.code);
    socket.emit('answered');
  });
  const ask = async (
    ...messages: (Handler | [event: string, token: string])[]
  ): Promise<unknown[]> => {
    answers.splice(0);
    for (const message of messages) {
      const [event, data] = typeof message === 'string' ? [message, 'x'] : message;
      socket.send(JSON.stringify({ event, data }));
    }
    while (answers.length < messages.length) await once(socket, 'answered');
    return [...answers];
  };
  return { ask, close: () => socket.close() };
}

describe('an open socket', () => {
  it('an open socket is refused at its next message once its login was ended', async () => {
    const token = await instance.login('alice');
    const { ask, close } = await open({ authorization: `Bearer ${token}` });
    expect(await ask('guarded')).toEqual(['alice']);
    await instance.logout.logout(token);
    expect(await ask('guarded')).toEqual(['session_ended']);
    expect(await ask('optional')).toEqual(['session_ended']);
    close();
  });

  it('a message does not see the user that another message was authenticated as', async () => {
    const token = await instance.login('alice');
    const { ask, close } = await open({ authorization: `Bearer ${token}` });
    const answers = await ask('guarded', 'open', 'guarded', 'open');
    expect(answers.toSorted()).toEqual(['alice', 'alice', 'nobody', 'nobody']);
    expect(await ask('open')).toEqual(['nobody']);
    close();
  });

  it('a client does not see the user that another client was authenticated as', async () => {
    const sockets = await Promise.all(
      ['alice', 'bob'].map(async (name) =>
        open({ authorization: `Bearer ${await instance.login(name)}` }),
      ),
    );
    const answers = await Promise.all(sockets.map(({ ask }) => ask('guarded', 'guarded')));
    expect(answers).toEqual([
      ['alice', 'alice'],
      ['bob', 'bob'],
    ]);
    for (const { close } of sockets) close();
  });

  it('an open socket continues with a token that replaces the one of the handshake', async () => {
    const first = await instance.login('alice');
    const { ask, close } = await open({ authorization: `Bearer ${first}` });
    await instance.logout.logout(first);
    expect(await ask('guarded')).toEqual(['session_ended']);
    expect(await ask(['renew', await instance.login('alice')])).toEqual(['renewed']);
    expect(await ask('guarded')).toEqual(['alice']);
    close();
  });
});

describe('a socket that LiveSockets holds', () => {
  it('a socket that LiveSockets holds is guarded by its renewed token', async () => {
    const first = await instance.login('alice');
    const { ask, close } = await open({ authorization: `Bearer ${first}` });
    expect(await ask(['accept', first])).toEqual(['alice']);
    expect(await ask(['renewLive', await instance.login('alice')])).toEqual(['alice']);
    await instance.logout.logout(first);
    expect(await ask('guarded')).toEqual(['alice']);
    close();
  });
});

describe('a handshake with cookies', () => {
  const cases = (host: string): [Record<string, string>, string][] => [
    [{}, 'alice'],
    [{ origin: OWN }, 'alice'],
    [{ origin: `http://${host}` }, 'alice'],
    [{ origin: 'https://evil.example' }, 'csrf_refused'],
    [{ origin: 'null' }, 'csrf_refused'],
    // Headers that a page can make a server write do not help it.
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }, 'csrf_refused'],
  ];

  it('a handshake with cookies is checked by its origin, although an upgrade is a GET', async () => {
    const cookie = `__Host-access=${await instance.login('alice')}`;
    for (const [headers, answer] of cases(new URL(url).host)) {
      const { ask, close } = await open({ cookie, ...headers });
      expect([headers, ...(await ask('guarded'))]).toEqual([headers, answer]);
      close();
    }
  });

  it('a handshake with cookies and a token in the header is refused', async () => {
    const token = await instance.login('alice');
    const headers = { cookie: `__Host-access=${token}`, authorization: `Bearer ${token}` };
    const { ask, close } = await open(headers);
    expect(await ask('guarded', 'optional')).toEqual(['invalid_request', 'invalid_request']);
    close();
  });
});

describe('TokenService.verifyRequest', () => {
  const verify = (handshake: unknown): Promise<unknown> =>
    instance.app
      .get(TokenService)
      .verifyRequest(handshake as HandshakeRequest)
      .then(
        ({ sub }) => sub,
        (error: unknown) => (error as { code?: unknown }).code,
      );

  it('verifyRequest reads a token from the header, the cookie, and what was sent beside', async () => {
    const token = await instance.login('alice');
    const headers = { host: 'app.test' };
    const cookie = `__Host-access=${token}`;
    for (const good of [
      { headers: { authorization: `Bearer ${token}` } },
      { headers: { cookie } },
      { headers: { cookie, origin: OWN }, method: 'GET' },
      { headers, auth: { token } },
      { headers, auth: { authorization: `Bearer ${token}` } },
      { headers, auth: { Authorization: `Bearer ${token}` } },
      { headers: { authorization: `Bearer ${token}` }, auth: { token } },
    ]) {
      expect([good, await verify(good)]).toEqual([good, 'alice']);
    }
  });

  it('verifyRequest refuses another site’s page, two tokens and garbage with a code', async () => {
    const token = await instance.login('alice');
    const other = await instance.login('bob');
    const authorization = `Bearer ${token}`;
    const cookie = `__Host-access=${token}`;
    const bad: [unknown, string][] = [
      [{ headers: {} }, 'token_missing'],
      [{ headers: { cookie, origin: 'https://evil.example' }, method: 'GET' }, 'csrf_refused'],
      [{ headers: { cookie, 'sec-fetch-site': 'cross-site' } }, 'csrf_refused'],
      [{ headers: { authorization }, auth: { token: other } }, 'invalid_request'],
      [{ headers: { cookie }, auth: { token } }, 'invalid_request'],
      [{ headers: {}, auth: { token, authorization: `Bearer ${other}` } }, 'invalid_request'],
      [{ headers: { authorization }, query: { access_token: token } }, 'invalid_request'],
      [
        { headers: { authorization }, rawHeaders: ['Authorization', 'x', 'Authorization', 'y'] },
        'invalid_request',
      ],
      [{ headers: {}, auth: { token: { toString: 'x' } } }, 'token_malformed'],
      [{ headers: {}, auth: { token: '' } }, 'token_malformed'],
      [{ headers: {}, auth: { authorization: ['Bearer x', 'Bearer y'] } }, 'invalid_request'],
      [{ headers: {}, auth: { authorization: 42 } }, 'token_malformed'],
      [{ headers: {}, auth: token }, 'token_missing'],
      [{ headers: {}, auth: null }, 'token_missing'],
      [{ headers: { authorization: 'Basic eDp5' } }, 'token_missing'],
    ];
    for (const [given, code] of bad) {
      expect([given, await verify(given)]).toEqual([given, code]);
    }
  });

  it('verifyRequest says what it needs if there are no headers', async () => {
    const verifyRequest = (given: unknown): Promise<unknown> =>
      instance.app.get(TokenService).verifyRequest(given as HandshakeRequest);
    await expect(verifyRequest({})).rejects.toThrow('without headers');
    await expect(verifyRequest({ headers: new Headers() })).rejects.toThrow('a Fetch request');
  });
});
