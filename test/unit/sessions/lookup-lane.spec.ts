import { beforeEach, describe, expect, it } from '@jest/globals';
import { AuthUnavailableException } from '../../../lib/errors/auth.exception.js';
import { LookupLane } from '../../../lib/sessions/refresh-token-lookup.service.js';

interface Statement {
  readonly keys: readonly string[];
  readonly answer: (found: ReadonlyMap<string, string>) => void;
  readonly fail: (error: Error) => void;
}

describe('a lane of look-ups', () => {
  let sent: Statement[];
  let lane: LookupLane<string>;

  beforeEach(() => {
    sent = [];
    const look = (keys: readonly string[]): Promise<ReadonlyMap<string, string>> =>
      new Promise((answer, fail) => sent.push({ keys, answer, fail }));
    lane = new LookupLane(look, { batch: 2, queue: 3 });
  });

  /** Delivers the answers to their callers, and sends the next statement. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('one statement is sent at a time, and look-ups that arrive meanwhile share the next', async () => {
    const found = Promise.all(['a', 'b', 'c', 'd'].map((key) => lane.find(key)));
    expect(sent.map(({ keys }) => keys)).toEqual([['a']]);
    sent[0]?.answer(new Map([['a', 'A']]));
    await settle();
    expect(sent[1]?.keys).toEqual(['b', 'c']);
    sent[1]?.answer(new Map([['c', 'C']]));
    await settle();
    expect(sent[2]?.keys).toEqual(['d']);
    sent[2]?.answer(new Map());
    expect(await found).toEqual(['A', undefined, 'C', undefined]);
    void lane.find('e');
    expect(sent[3]?.keys).toEqual(['e']);
  });

  it('no look-up is answered by a statement that was sent before it', async () => {
    const early = lane.find('a');
    const late = lane.find('a');
    sent[0]?.answer(new Map());
    expect(await early).toBeUndefined();
    await settle();
    sent[1]?.answer(new Map([['a', 'A']]));
    expect(await late).toBe('A');
  });

  it('look-ups that do not fit into the queue are refused at once with 503 and Retry-After', async () => {
    void lane.find('in flight');
    for (const key of ['a', 'b', 'c']) void lane.find(key);
    const refusal = await lane.find('d').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AuthUnavailableException);
    expect(refusal).toMatchObject({ code: 'storage_unavailable', status: 503 });
    const { headers } = refusal as AuthUnavailableException;
    expect(Number(headers['Retry-After'])).toBeGreaterThanOrEqual(1);
    void lane.find('c'); // is there already
    sent[0]?.answer(new Map());
    await settle();
    void lane.find('d');
    sent[1]?.answer(new Map());
    await settle();
    expect(sent[2]?.keys).toEqual(['c', 'd']);
  });

  it('an error reaches the callers of its statement, and the lane goes on', async () => {
    const failing = lane.find('a');
    const next = lane.find('b');
    sent[0]?.fail(new Error('the database is away'));
    await expect(failing).rejects.toThrow('the database is away');
    await settle();
    sent[1]?.answer(new Map([['b', 'B']]));
    expect(await next).toBe('B');
  });
});
