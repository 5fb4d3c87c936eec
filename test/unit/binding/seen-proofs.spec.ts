import { expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { SeenProofs } from '../../../lib/binding/seen-proofs.js';

it('a proof is remembered for its whole life, and forgotten soon after', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 10);
  const add = (id: string): string => seen.add(id, clock.wall());
  const asked = [add('a')];
  for (const wait of [1, 10_000, 9_999]) {
    clock.advance(wait);
    asked.push(add('a'));
  }
  clock.advance(10_000);
  asked.push(add('a'));
  expect(asked).toEqual(['new', 'seen', 'seen', 'seen', 'new']);
});

it('none is forgotten to make room: a further one is refused until some have had their time', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 2);
  const add = (id: string): string => seen.add(id, clock.wall());
  expect(['a', 'b', 'c', 'a'].map(add)).toEqual(['new', 'new', 'full', 'seen']);
  clock.advance(30_000);
  expect(add('c')).toBe('new');
});

it('a proof that was forgotten is not new again once the wall clock was set back', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 10);
  const at = clock.wall();
  expect(seen.add('a', at)).toBe('new');
  clock.advance(60_000);
  expect(seen.add('b', clock.wall())).toBe('new');
  clock.skewWall(-60_000);
  expect([seen.add('a', at), seen.add('c', at + 1)]).toEqual(['seen', 'new']);
});
