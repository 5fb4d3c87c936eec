import { describe, expect, it } from '@jest/globals';
import { concat, NEVER, of, Subject, toArray, firstValueFrom } from 'rxjs';
import { fired, LiveParts } from '../../support/live-parts.js';

/** An iterator as in a PubSub: it waits for a value that may never arrive. */
class Waiting<T> implements AsyncIterableIterator<T> {
  isReturned = false;
  private waiting: ((result: IteratorResult<T>) => void)[] = [];

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  push(value: T): void {
    this.waiting.shift()?.({ done: false, value });
  }

  return(): Promise<IteratorResult<T>> {
    this.isReturned = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

describe('LiveTokens.untilRevoked and iterateUntilRevoked', () => {
  it('an Observable completes with its token, and each subscription releases its watch', async () => {
    const parts = new LiveParts();
    const claims = parts.claims();
    const stream = concat(of(1, 2), NEVER).pipe(parts.live.untilRevoked(claims));
    const closed = stream.subscribe();
    const all = firstValueFrom(stream.pipe(toArray()));
    expect(parts.meter.watched).toBe(2);
    closed.unsubscribe();
    expect(parts.meter.watched).toBe(1);
    parts.event('subject', 'alice');
    expect(await all).toEqual([1, 2]);
    expect(parts.meter.watched).toBe(0);
  });

  it('the watch is released if the source ends first', () => {
    const parts = new LiveParts();
    of(1).pipe(parts.live.untilRevoked(parts.claims())).subscribe();
    expect(parts.meter.watched).toBe(0);
  });

  it('an Observable fails with the refusal if the option asks for it', async () => {
    const parts = new LiveParts();
    const source = new Subject<number>();
    const ended = firstValueFrom(
      source.pipe(parts.live.untilRevoked(parts.claims(), { end: 'error' })),
    );
    parts.event('subject', 'alice');
    await expect(ended).rejects.toMatchObject({ code: 'session_ended' });
    expect(source.observed).toBe(false);
  });

  it('an AsyncIterator that waits for a value ends, and is returned', async () => {
    const parts = new LiveParts();
    const source = new Waiting<number>();
    const values = parts.live.iterateUntilRevoked(parts.claims(), source);
    const first = values.next();
    source.push(1);
    expect(await first).toEqual({ done: false, value: 1 });
    const second = values.next();
    parts.event('subject', 'alice');
    expect(await second).toEqual({ done: true, value: undefined });
    expect([source.isReturned, (await values.next()).done]).toEqual([true, true]);
  });

  it('an AsyncIterator throws the refusal if the option asks for it, once a caller waits', async () => {
    const parts = new LiveParts();
    const values = parts.live.iterateUntilRevoked(parts.claims(), new Waiting(), {
      end: 'error',
    });
    parts.event('subject', 'alice');
    await fired();
    await expect(values.next()).rejects.toMatchObject({ code: 'session_ended' });
  });

  it('the watch of an AsyncIterator is released when its consumer leaves', async () => {
    const parts = new LiveParts();
    const source = new Waiting<number>();
    const values = parts.live.iterateUntilRevoked(parts.claims(), source);
    expect(parts.meter.watched).toBe(1);
    await values.return?.();
    expect([parts.meter.watched, source.isReturned, (await values.next()).done]).toEqual([
      0,
      true,
      true,
    ]);
  });

  it('the watch of an AsyncIterator is released when it throws', async () => {
    const parts = new LiveParts();
    const source = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('lost')) }),
    };
    const values = parts.live.iterateUntilRevoked(parts.claims(), source);
    await expect(values.next()).rejects.toThrow('lost');
    expect([parts.meter.watched, (await values.next()).done]).toEqual([0, true]);
  });
});
