import { describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { TokenService } from '../../../lib/authentication/token.service.js';
import { LiveSockets } from '../../../lib/live/live-sockets.service.js';
import type { TokenClaims } from '../../../lib/options/token-claims.js';
import { eventually } from '../../support/eventually.js';
import { LiveParts } from '../../support/live-parts.js';

/** More than fire in one turn of the event loop. */
const MANY = 500;

/** A socket as in ws. */
class FakeSocket extends EventEmitter {
  readyState = 1;
  closed: string | undefined;

  close(code: number, reason: string): void {
    this.closed ??= `${code} ${reason}`;
    this.readyState = 3;
    this.emit('close');
  }

  terminate(): void {}
}

describe('LiveSockets', () => {
  it('a socket whose token has ended is closed, although it is renewed before its turn', async () => {
    const parts = new LiveParts();
    let claims = (): TokenClaims => parts.claims();
    const tokens = { verify: () => Promise.resolve(claims()) } as unknown as TokenService;
    const sockets = new LiveSockets(tokens, parts.live, parts.clock, parts.meter);
    const all = Array.from({ length: MANY }, () => new FakeSocket());
    for (const socket of all) await sockets.accept(socket, 'old', { request: { headers: {} } });
    // That of a later login, which no event revokes.
    claims = () => parts.claims({ gen: 9_000 });
    parts.event('subject', 'alice');
    const last = all.at(-1) as FakeSocket;
    await expect(sockets.renew(last, 'new')).rejects.toMatchObject({ code: 'session_ended' });
    await eventually(() => all.every(({ closed }) => closed !== undefined));
    expect(new Set(all.map(({ closed }) => closed))).toEqual(new Set(['4401 session_ended']));
  });

  it('counts the refusal of a renewal once, also behind a gateway without a filter', async () => {
    const parts = new LiveParts();
    let claims = parts.claims();
    const tokens = { verify: () => Promise.resolve(claims) } as unknown as TokenService;
    const { meter } = parts;
    const sockets = new LiveSockets(tokens, parts.live, parts.clock, meter);
    const socket = new FakeSocket();
    const before = { ...meter.refusals };
    const request = { headers: {} };
    await expect(sockets.renew(socket, 'early')).rejects.toMatchObject({ code: 'token_missing' });
    await sockets.accept(socket, 'old', { request });
    claims = { ...claims, sub: 'bob' };
    const refused = await sockets.renew(socket, 'of bob').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'token_invalid' });
    expect(meter.refusals).toEqual({ ...before, token_missing: 1, token_invalid: 1 });
    meter.refuse(refused); // as a filter does
    expect(meter.refusals).toEqual({ ...before, token_missing: 1, token_invalid: 1 });
  });
});
