import { describe, expect, it } from '@jest/globals';
import { MarkTable } from '../../../../lib/revocation/index/mark.js';

const A = Uint32Array.of(1, 2, 3, 4);
const B = Uint32Array.of(1, 2, 3, 5);
const C = Uint32Array.of(0, 0, 0, 9);
const SESSIONS = [undefined, A, B, C];

interface Event {
  readonly limit: number;
  readonly except: Uint32Array | undefined;
}

function kills({ limit, except }: Event, gen: number, session: Uint32Array | undefined): boolean {
  return gen < limit && (except === undefined || except !== session);
}

function* sequences(events: readonly Event[], length: number): Generator<Event[]> {
  yield [];
  if (length === 0) return;
  for (const rest of sequences(events, length - 1)) {
    for (const event of events) yield [...rest, event];
  }
}

/** The positions beside the small ones are those at which two words are needed. */
const SCALES = [1, 2 ** 31, 2 ** 32 - 1, 2 ** 50];

describe('MarkTable (protocol G4)', () => {
  it.each(SCALES)(
    'a token is revoked if any event kills it: all sequences, positions x %d',
    (scale) => {
      const events: Event[] = [1, 2, 3].flatMap((limit) =>
        [undefined, A, B].map((except) => ({ limit: limit * scale, except })),
      );
      const marks = new MarkTable({ shardBits: 2 });
      let wrong = 0;
      let cases = 0;
      let account = 0;
      for (const sequence of sequences(events, scale === 1 ? 4 : 3)) {
        if (sequence.length === 0) continue;
        const key = Uint32Array.of(++account, 0, 0, 0);
        const dead = new Set<string>();
        for (const [step, { limit, except }] of sequence.entries()) {
          marks.add(key, limit, except, 1000, step + 1);
          const known = sequence.slice(0, step + 1);
          const place = marks.table.find(key);
          for (const session of SESSIONS) {
            for (const gen of [0, 1, 2, 3].map((position) => position * scale)) {
              const note = marks.judge(place, gen, session);
              const expected = known.some((event) => kills(event, gen, session));
              cases++;
              if (note >= 0 !== expected) wrong++;
              // What it names is an event that does kill it.
              if (note > 0 && !kills(sequence[note - 1]!, gen, session)) wrong++;
              if (note === 0) wrong++;
              // P6: never from revoked to accepted.
              const token = `${gen} ${String(session)}`;
              if (dead.has(token) && note < 0) wrong++;
              if (note >= 0) dead.add(token);
            }
          }
        }
      }
      expect(cases).toBeGreaterThan(scale === 1 ? 400_000 : 30_000);
      expect(wrong).toBe(0);
    },
  );

  it('all but S and then all but T revokes both', () => {
    const marks = new MarkTable();
    const key = Uint32Array.of(1, 1, 1, 1);
    marks.add(key, 10, A, 1000, 1);
    marks.add(key, 11, B, 1000, 2);
    const place = marks.table.find(key);
    expect(marks.judge(place, 5, A)).toBe(2);
    expect(marks.judge(place, 5, B)).toBe(1);
    expect(marks.judge(place, 10, B)).toBe(-1);
  });

  it('a cut-off lasts as long as its longest event, and accounts are separate', () => {
    const marks = new MarkTable();
    const one = Uint32Array.of(1, 1, 1, 1);
    const two = Uint32Array.of(1, 1, 1, 2);
    marks.add(one, 10, undefined, 1000, 1);
    marks.add(one, 20, undefined, 500, 1);
    marks.add(two, 20, undefined, 500, 1);
    marks.table.sweep(501, 1e9);
    expect(marks.table.find(two)).toBe(-1);
    expect(marks.judge(marks.table.find(one), 19, undefined)).toBe(1);
    marks.table.sweep(1001, 1e9);
    expect(marks.table.size).toBe(0);
  });

  it('a token without a known position is older than every event, except the spared one', () => {
    const marks = new MarkTable();
    const key = Uint32Array.of(1, 1, 1, 1);
    marks.add(key, 10, A, 1000, 1);
    const place = marks.table.find(key);
    expect(marks.judge(place, NaN, undefined)).toBe(1);
    expect(marks.judge(place, NaN, A)).toBe(-1);
  });

  it('the reason of a retry that knows more is kept', () => {
    const marks = new MarkTable();
    const key = Uint32Array.of(1, 1, 1, 1);
    marks.add(key, 10, undefined, 1000, 0);
    marks.add(key, 10, undefined, 1000, 4);
    marks.add(key, 10, undefined, 1000, 5);
    expect(marks.judge(marks.table.find(key), 1, undefined)).toBe(4);
  });
});
