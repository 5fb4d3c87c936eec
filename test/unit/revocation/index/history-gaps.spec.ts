import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventKeys } from '../../../../lib/revocation/index/event-key.js';
import { HistoryGaps } from '../../../../lib/revocation/index/history-gaps.js';
import { RevocationIndex } from '../../../../lib/revocation/index/revocation-index.js';
import type { LogEvent } from '../../../../lib/database/entities/revocation-event.entity.js';

const ISSUER = 'https://issuer.test';

describe('HistoryGaps', () => {
  let gaps: HistoryGaps;

  beforeEach(() => {
    gaps = new HistoryGaps();
    gaps.add(2_010, 3_000, 500);
    gaps.add(10, 1_000, 100);
    gaps.add(1_005, 2_000, 50);
  });

  it.each([
    ['below every gap', 10, 10],
    ['in the first one', 11, 0],
    ['at a jump', 1_000, 1_000],
    ['at the last position before a jump', 1_005, 1_005],
    ['in the second one', 1_999, 0],
    ['between two of them', 2_000, 2_000],
    ['in the last one', 2_011, 0],
    ['above every gap', 3_001, 3_001],
  ])('judges a position %s (%d) as %d', (_, gen, judged) => {
    expect(gaps.judged(gen)).toBe(judged);
  });

  it('a token without a position is in no gap', () => {
    expect(gaps.judged(undefined)).toBeUndefined();
  });

  it('a gap is kept through its last second, and then forgotten', () => {
    gaps.sweep(50);
    expect(gaps.size).toBe(3);
    gaps.sweep(51);
    expect([gaps.size, gaps.judged(1_500), gaps.judged(2_500)]).toEqual([2, 1_500, 0]);
  });

  it('a jump counts once, until the later of two times', () => {
    gaps.add(10, 1_000, 700);
    gaps.sweep(600);
    expect([gaps.size, gaps.judged(500)]).toEqual([1, 0]);
  });
});

describe('RevocationIndex after a jump', () => {
  const keys = new EventKeys(ISSUER);
  let index: RevocationIndex;

  const event = (position: number, fields: Partial<LogEvent>): LogEvent => ({
    position,
    id: String(position).padStart(32, '0'),
    kind: 'subject',
    key: keys.hex('subject', ISSUER, 'alice'),
    killsBelow: position,
    except: null,
    accessOnly: false,
    issuedBefore: null,
    until: 1_000_000,
    reason: 'logout',
    ...fields,
  });
  const jump = (position: number, killsBelow: number | null, until = 900_000): LogEvent =>
    event(position, { kind: 'history', key: '0'.repeat(32), killsBelow, until });
  const isRevoked = (gen: number): boolean =>
    index.find({ iss: ISSUER, sub: 'alice', gen }) !== undefined;

  beforeEach(() => {
    index = new RevocationIndex(keys);
  });

  it('an event before the jump revokes a token of the gap', () => {
    index.add(event(11, {}));
    index.add(jump(1_000, 11));
    expect([10, 11, 12, 999, 1_000].map(isRevoked)).toEqual([true, false, true, true, false]);
  });

  it('a token of the gap is not revoked if no event affects it', () => {
    index.add(event(11, { key: keys.hex('subject', ISSUER, 'bob') }));
    index.add(jump(1_000, 11));
    expect(isRevoked(500)).toBe(false);
  });

  it('after a jump by an older release the position of the row before it counts', () => {
    index.add(event(11, {}));
    index.add(event(14, { kind: 'session' }));
    index.add(jump(1_000, null));
    expect([14, 15, 999].map(isRevoked)).toEqual([false, true, true]);
  });

  it('the gap of an older release starts where the load reached, past expired rows', () => {
    index.add(event(11, {}));
    index.reached(20);
    index.add(jump(1_000, null));
    expect([15, 20, 21].map(isRevoked)).toEqual([false, false, true]);
  });

  it('the gap of an older release is kept for ever, although its row was kept for two minutes', () => {
    index.add(event(11, { until: 9_000_000 }));
    index.add(jump(1_000, null));
    index.sweep(950_000);
    expect(isRevoked(500)).toBe(true);
  });

  it('a gap is forgotten when its tokens have expired', () => {
    index.add(event(11, { until: 9_000_000 }));
    index.add(jump(1_000, 11));
    index.sweep(900_000);
    expect(index.gaps.size).toBe(1);
    index.sweep(902_000);
    expect(index.gaps.size).toBe(0);
  });
});
