import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AuthException, type TokenClaims, TokenService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { controlPolls } from '../support/controlled-instance.js';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';

/** What a gateway uses of a socket of socket.io. */
class Socket {
  readonly data: { claims?: TokenClaims } = {};
  readonly handshake: {
    readonly headers: Record<string, string>;
    readonly auth: { readonly token: string };
  };
  readonly sent: unknown[] = [];
  connected = true;

  constructor(token: unknown) {
    this.handshake = { headers: {}, auth: { token: token as string } };
  }

  emit(event: string, body: { code?: string }): void {
    this.sent.push([event, body.code]);
  }

  disconnect(): void {
    this.connected = false;
  }
}

/** As in the example of {@link TokenService}; `pay` is for what must not run on an old proof. */
@Injectable()
class OrdersGateway {
  constructor(private readonly tokens: TokenService) {}

  async handleConnection(socket: Socket): Promise<void> {
    try {
      socket.data.claims = await this.tokens.verifyRequest(socket.handshake);
    } catch (error) {
      this.turnOut(socket, error);
    }
  }

  async pay(socket: Socket): Promise<string | undefined> {
    try {
      const { sub } = await this.tokens.verify(socket.handshake.auth.token, {
        freshness: 'strict',
      });
      return `${sub} paid`;
    } catch (error) {
      return this.turnOut(socket, error);
    }
  }

  private turnOut(socket: Socket, error: unknown): undefined {
    if (!(error instanceof AuthException)) throw error;
    socket.emit('exception', error.getResponse() as { code?: string });
    socket.disconnect();
  }
}

describe('a socket that is authenticated by TokenService.verify', () => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;
  let gateway: OrdersGateway;
  let token: string;

  beforeEach(async () => {
    database = await sqlite.migrated();
    here = await startInstance(database, { clock: new TestClock() });
    there = await startInstance(database, { clock: new TestClock() });
    gateway = await here.app.get(ModuleRef).create(OrdersGateway);
    token = await here.login('alice');
  });

  afterEach(async () => {
    await here?.close();
    await there?.close();
    await database?.drop();
  });

  const connect = async (given: unknown): Promise<Socket> => {
    const socket = new Socket(given);
    await gateway.handleConnection(socket);
    return socket;
  };
  const turnedOutWith = (code: string): object => ({
    connected: false,
    data: {},
    sent: [['exception', code]],
  });

  it('a socket with a valid token is accepted, and has its claims', async () => {
    const socket = await connect(token);
    expect(socket).toMatchObject({ connected: true, data: { claims: { sub: 'alice' } }, sent: [] });
  });

  it('a socket is refused with the stable code once the login was ended', async () => {
    await here.logout.logout(token);
    const socket = await connect(token);
    expect(socket).toMatchObject(turnedOutWith('session_ended'));
    expect(socket.data.claims).toBeUndefined();
  });

  it.each([
    ['no token', undefined, 'token_missing'],
    ['an object, as a hostile handshake may carry', { token: 'x' }, 'token_malformed'],
    ['the header instead of the token', 'Bearer x', 'token_malformed'],
  ])(
    'a socket with %s is refused with a code and does not crash the server',
    async (_, given, code) => {
      expect(await connect(given)).toMatchObject(turnedOutWith(code));
    },
  );

  it('a socket with an altered token is refused', async () => {
    const altered = `${token.slice(0, -43)}${'A'.repeat(43)}`;
    expect(await connect(altered)).toMatchObject(turnedOutWith('token_invalid'));
  });

  it('a socket is refused at its next strict message, wherever the login was ended', async () => {
    const socket = await connect(token);
    expect(await gateway.pay(socket)).toBe('alice paid');
    await there.logout.logout(token);
    // Within the bound this instance need not know; a strict check asks.
    expect((await connect(token)).connected).toBe(true);
    expect(await gateway.pay(socket)).toBeUndefined();
    expect(socket).toMatchObject({ connected: false, sent: [['exception', 'session_ended']] });
  });

  it('a socket has its strict messages refused while the log cannot be reached', async () => {
    const socket = await connect(token);
    (await controlPolls(here)).fail();
    expect(await gateway.pay(socket)).toBeUndefined();
    expect(socket.sent).toEqual([['exception', 'revocation_state_unknown']]);
  });
});
