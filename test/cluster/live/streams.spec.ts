import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
import {
  CurrentToken,
  JwtAuthGuard,
  LiveTokens,
  OptionalAuth,
  RevocationSignal,
  type TokenClaims,
  WhenStale,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { once } from 'node:events';
import { NEVER, type Observable, startWith } from 'rxjs';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AuthMeter } from '../../support/internals.js';

@UseGuards(JwtAuthGuard)
@Controller()
class StreamsController {
  /** What the signals of `long` said. */
  static readonly aborted: unknown[] = [];

  constructor(private readonly live: LiveTokens) {}

  @Sse('events')
  events(@CurrentToken() claims: TokenClaims): Observable<MessageEvent> {
    return NEVER.pipe(startWith({ data: 'open' }), this.live.untilRevoked(claims));
  }

  @Sse('failing-events')
  failing(@CurrentToken() claims: TokenClaims): Observable<MessageEvent> {
    return NEVER.pipe(
      startWith({ data: 'open' }),
      this.live.untilRevoked(claims, { end: 'error' }),
    );
  }

  @Sse('long')
  async long(@RevocationSignal() signal: AbortSignal): Promise<Observable<MessageEvent>> {
    signal.addEventListener('abort', () => StreamsController.aborted.push(signal.reason));
    return NEVER.pipe(startWith({ data: 'open' }));
  }

  @Get('wait')
  async wait(@RevocationSignal() signal: AbortSignal): Promise<{ code: string }> {
    await once(signal, 'abort');
    return { code: (signal.reason as { code: string }).code };
  }

  @WhenStale('open')
  @Get('lenient')
  async lenient(@RevocationSignal() signal: AbortSignal): Promise<{ code: string }> {
    return this.wait(signal);
  }

  @Get('quick')
  quick(@RevocationSignal() signal: AbortSignal): { aborted: boolean } {
    return { aborted: signal.aborted };
  }

  @OptionalAuth()
  @Get('anonymous')
  anonymous(@RevocationSignal() signal: AbortSignal): { aborted: boolean } {
    return { aborted: signal.aborted };
  }
}

/** An open answer, and its result. */
class Stream {
  text = '';
  isOver = false;
  private readonly controller = new AbortController();

  static async open(url: string, token: string): Promise<Stream> {
    const stream = new Stream();
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: stream.controller.signal,
    });
    void stream.read(response);
    await eventually(() => stream.text.includes('open'));
    return stream;
  }

  close(): void {
    this.controller.abort();
  }

  private async read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) this.text += decoder.decode(chunk);
    } catch {
      // The test closed it.
    }
    this.isOver = true;
  }
}

describe.each(['express', 'fastify'] as const)('an open answer on %s', (platform) => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;
  let url: string;

  const settings = { whenStale: 'open', openAcknowledgedBy: 'the test' } as const;

  beforeAll(async () => {
    database = await sqlite.migrated();
    here = await startInstance(database, {
      clock: new TestClock(),
      controllers: [StreamsController],
      platform,
      options: settings,
    });
    there = await startInstance(database, { clock: new TestClock(), options: settings });
    await here.app.listen(0, '127.0.0.1');
    url = await here.app.getUrl();
  });

  afterAll(async () => {
    await here?.close();
    await there?.close();
    await database?.drop();
  });

  const watched = (): number => here.app.get(AuthMeter).watched;
  const get = (path: string, token: string): Promise<Response> =>
    fetch(`${url}/${path}`, { headers: { authorization: `Bearer ${token}` } });

  it('an @Sse() answer completes after a logout on another instance, and the reconnect gets 401', async () => {
    const [mine, other] = [await here.login('alice'), await here.login('alice')];
    const [ended, kept] = [
      await Stream.open(`${url}/events`, mine),
      await Stream.open(`${url}/events`, other),
    ];
    await there.logout.logout(mine);
    await here.feed.strictProof();
    await eventually(() => ended.isOver);
    expect(ended.text).not.toContain('error');
    expect(kept.isOver).toBe(false);
    const again = await get('events', mine);
    expect([again.status, await again.json()]).toMatchObject([401, { code: 'session_ended' }]);
    kept.close();
    await eventually(() => watched() === 0);
  });

  it('an @Sse() answer fails with the reason if the option asks for an error', async () => {
    const token = await here.login('bob');
    const stream = await Stream.open(`${url}/failing-events`, token);
    await here.logout.logoutAll('bob', { reason: 'password_changed' });
    await eventually(() => stream.isOver);
    expect(stream.text).toContain('event: error');
    expect(stream.text).toContain('The session has ended.');
  });

  it('the signal of an open answer has code and reason', async () => {
    const token = await here.login('carol');
    const waiting = get('wait', token);
    const lenient = get('lenient', token);
    await eventually(() => watched() === 2);
    await there.logout.logout(token);
    await here.feed.strictProof();
    expect(await (await waiting).json()).toEqual({ code: 'session_ended' });
    expect(await (await lenient).json()).toEqual({ code: 'session_ended' });
  });

  it('an open answer ends when its token expires', async () => {
    const token = await here.login('dora');
    const stream = await Stream.open(`${url}/events`, token);
    const clock = here.clock as TestClock;
    clock.advance(1_000_000);
    await eventually(() => stream.isOver);
    await here.feed.strictProof();
    expect(await (await get('events', token)).json()).toMatchObject({ code: 'token_expired' });
  });

  it('no watch is left after an open answer was closed, by its handler or by the client', async () => {
    const token = await here.login('erin');
    for (let i = 0; i < 20; i++)
      expect(await (await get('quick', token)).json()).toEqual({ aborted: false });
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => Stream.open(`${url}/long`, token)),
    );
    expect(watched()).toBe(20);
    for (const stream of streams) stream.close();
    await eventually(() => watched() === 0);
    await here.logout.logoutAll('erin');
    expect(StreamsController.aborted).toEqual([]);
  });

  it('the open answer of an anonymous request is not watched', async () => {
    const response = await fetch(`${url}/anonymous`);
    expect(await response.json()).toEqual({ aborted: false });
    expect(watched()).toBe(0);
  });
});
