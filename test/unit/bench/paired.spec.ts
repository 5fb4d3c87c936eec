import { describe, expect, it } from '@jest/globals';
import { pairedBlocks, throughput } from '../../bench/paired.js';

describe('paired blocks', () => {
  it('paired blocks give a ratio of throughput: the median over the rounds, and the middle half', () => {
    const ours = { wall: [1, 2, 4, 5, 10], cpu: [2, 2, 2, 2, 2] };
    const theirs = { wall: [2, 2, 4, 20, 10], cpu: [4, 4, 4, 4, 4] };
    expect(throughput(ours, theirs)).toEqual({ median: 1, low: 1, high: 2 });
    expect(throughput(ours, theirs, 'cpu').median).toBe(2);
  });

  it('paired blocks run each variant once a round, and none always first', async () => {
    const ran: string[] = [];
    const variant = (name: string) => async (): Promise<void> => void ran.push(name);
    const blocks = await pairedBlocks({ a: variant('a'), b: variant('b'), c: variant('c') }, 6);
    expect([blocks.a.wall, blocks.b.cpu].map(({ length }) => length)).toEqual([6, 6]);
    const rounds = Array.from({ length: ran.length / 3 }, (_, i) => ran.slice(i * 3, i * 3 + 3));
    for (const round of rounds) expect(round.toSorted()).toEqual(['a', 'b', 'c']);
    expect(new Set(rounds.map(([first]) => first))).toEqual(new Set(['a', 'b', 'c']));
  });
});
