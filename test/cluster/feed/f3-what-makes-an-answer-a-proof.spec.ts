import type { Answer } from '../../support/internals.js';
import { answerFrom, cursorAt, eventAt, headAt, idAt } from '../../support/controlled-instance.js';
import { describe, expect, it } from '@jest/globals';

const PAGE = 5;
const OTHER = 'f'.repeat(32);

/** What a cursor at position 3 makes of an answer. */
function judge(answer: Answer, position = 3): { kind: string; why?: string } {
  const cursor = cursorAt(position);
  return cursor.judge(answer, cursor.snapshot(), PAGE);
}

describe('F3: an answer counts only if it fits everything that is known', () => {
  const right: [title: string, answer: Answer, position?: number][] = [
    ['nothing new', answerFrom(headAt(3), [3])],
    ['all that is new', answerFrom(headAt(5), [3, 4, 5])],
    ['nothing, of a log that is empty', answerFrom(headAt(0), []), 0],
    ['the first event ever', answerFrom(headAt(1), [1]), 0],
    ['a gap that the purge made', answerFrom(headAt(7, { purgedThrough: 6 }), [3, 5, 7])],
    ['the end of a page exactly at the head', answerFrom(headAt(7), [3, 4, 5, 6, 7])],
  ];
  for (const [title, answer, position] of right) {
    it(`accepts ${title}`, () => {
      expect(judge(answer, position)).toEqual({ kind: 'current' });
    });
  }

  it('a full page is no proof, and the next page is read', () => {
    expect(judge(answerFrom(headAt(9), [3, 4, 5, 6, 7]))).toEqual({ kind: 'behind' });
  });

  const wrong: [title: string, answer: Answer, why: RegExp, position?: number][] = [
    ['another log', answerFrom(headAt(3), [3], { logId: 'other' }), /another log/],
    ['a head behind the cursor', answerFrom(headAt(2), []), /head is at 2/],
    ['a cursor that is gone', answerFrom(headAt(5), [4, 5]), /position 3 is gone/],
    [
      'another event at the cursor',
      answerFrom(headAt(5), [], {
        events: [eventAt(3, { id: OTHER }), eventAt(4), eventAt(5)],
      }),
      /another event is at position 3/,
    ],
    [
      'another last event in the head',
      answerFrom(headAt(3, { lastEventId: OTHER }), [3]),
      /head's last event/,
    ],
    [
      'a last event where the log was empty',
      answerFrom(headAt(0, { lastEventId: OTHER }), []),
      /head's last event/,
      0,
    ],
    ['a gap', answerFrom(headAt(6), [3, 4, 6]), /position 5 is missing/],
    ['a gap right after the cursor', answerFrom(headAt(5), [3, 5]), /position 4 is missing/],
    ['a gap before the head', answerFrom(headAt(6), [3, 4, 5]), /position 6 is missing/],
    [
      'a gap above what was purged',
      answerFrom(headAt(7, { purgedThrough: 4 }), [3, 5, 7]),
      /position 6 is missing/,
    ],
    ['a head without a single row', answerFrom(headAt(2), []), /position 1 is missing/, 0],
  ];
  for (const [title, answer, why, position] of wrong) {
    it(`reports ${title} as a fork`, () => {
      const judgement = judge(answer, position);
      expect(judgement.kind).toBe('fork');
      expect(judgement.why).toMatch(why);
    });
  }

  it('the loss of an own write is a fork', () => {
    const cursor = cursorAt(3);
    cursor.expect([eventAt(5, { id: OTHER })], headAt(4));
    const lost = answerFrom(headAt(5), [3, 4, 5]);
    expect(cursor.judge(lost, cursor.snapshot(), PAGE)).toEqual({
      kind: 'fork',
      why: `the known event ${OTHER} is missing`,
    });
  });

  it('an own write beyond the end of the page is not missed', () => {
    const cursor = cursorAt(3);
    cursor.expect([eventAt(9, { id: OTHER })], headAt(8));
    const page = answerFrom(headAt(9), [3, 4, 5, 6, 7]);
    expect(cursor.judge(page, cursor.snapshot(), PAGE)).toEqual({ kind: 'behind' });
  });

  it('an own write that came after the sending is looked for, wherever the cursor was by then', () => {
    const ours = (position: number) => eventAt(position, { id: idAt(position + 1_000) });
    for (const before of [3, 5]) {
      const cursor = cursorAt(3);
      const sent = cursor.snapshot();
      cursor.expect([ours(before + 1)], headAt(before));
      expect(cursor.judge(answerFrom(headAt(7), [3, 4, 5, 6, 7]), sent, 10).kind).toBe('fork');
      // After a jump only a reload distinguishes the gap from a purge.
      const jumped = answerFrom(headAt(9, { purgedThrough: 8 }), [3, 9]);
      expect(cursor.judge(jumped, sent, 10).kind).toBe('reload');
    }
  });

  describe('a pending event', () => {
    const pending = eventAt(null, { id: OTHER, kind: 'subject' });
    const seen = (): ReturnType<typeof cursorAt> => {
      const cursor = cursorAt(3);
      cursor.advance(answerFrom(headAt(3), [3], { pending: [pending] }));
      return cursor;
    };

    it('a pending event may still be pending in the next answer', () => {
      const cursor = seen();
      const answer = answerFrom(headAt(4), [3, 4], { pending: [pending] });
      expect(cursor.judge(answer, cursor.snapshot(), PAGE).kind).toBe('current');
    });

    it('a pending event may be numbered in the next answer', () => {
      const cursor = seen();
      const answer = answerFrom(headAt(4, { lastEventId: OTHER }), [3], {
        events: [eventAt(3), { ...pending, position: 4, killsBelow: 4 }],
      });
      expect(cursor.judge(answer, cursor.snapshot(), PAGE).kind).toBe('current');
      cursor.advance(answer);
      // From here on it is at the cursor, and is not looked for among the pending events.
      const later = answerFrom(headAt(4, { lastEventId: OTHER }), [], {
        events: [{ ...pending, position: 4, killsBelow: 4 }],
      });
      expect(cursor.judge(later, cursor.snapshot(), PAGE).kind).toBe('current');
    });

    it('a pending event that is gone is a fork', () => {
      const cursor = seen();
      const answer = answerFrom(headAt(4), [3, 4]);
      expect(cursor.judge(answer, cursor.snapshot(), PAGE)).toMatchObject({
        kind: 'fork',
        why: expect.stringContaining(OTHER),
      });
    });

    it('a page that does not reach the head may lack a pending event', () => {
      const cursor = seen();
      const page = answerFrom(headAt(9), [3, 4, 5, 6, 7]);
      expect(cursor.judge(page, cursor.snapshot(), PAGE)).toEqual({ kind: 'behind' });
    });

    it('a pending event is compared with the head after it was found, however the log grew', () => {
      const cursor = seen();
      const page = answerFrom(headAt(9), [3, 4, 5, 6, 7]);
      cursor.advance(page);
      const rest = answerFrom(headAt(9), [7, 8, 9]);
      expect(cursor.judge(rest, cursor.snapshot(), PAGE).kind).toBe('fork');
      expect(idAt(9)).toBe(rest.head.lastEventId);
    });
  });
});
