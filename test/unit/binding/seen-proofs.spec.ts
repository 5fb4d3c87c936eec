import { expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { SeenProofs } from '../../../lib/binding/seen-proofs.js';

it('a proof is remembered for its whole life, and forgotten soon after', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 10);
  const asked: string[] = [seen.add('a')];
  for (const wait of [1, 10_000, 9_999]) {
    clock.advance(wait);
    asked.push(seen.add('a'));
  }
  clock.advance(10_000);
  asked.push(seen.add('a'));
  expect(asked).toEqual(['new', 'seen', 'seen', 'seen', 'new']);
});

it('none is forgotten to make room: a further one is refused until some have had their time', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 2);
  expect(['a', 'b', 'c', 'a'].map((id) => seen.add(id))).toEqual(['new', 'new', 'full', 'seen']);
  clock.advance(30_000);
  expect(seen.add('c')).toBe('new');
});
