import { expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { DpopProofs, loadJose } from '../../../lib/binding/dpop-proofs.js';
import { binding, type ResolvedBinding } from '../../../lib/options/binding-option.js';
import { DpopKey } from '../../support/dpop-key.js';
import { SeenProofs } from '../../../lib/binding/dpop-proofs.js';

it('a proof is remembered for its whole lifetime, and forgotten soon after', () => {
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

it('no proof is forgotten to make room: further proofs are refused until some have expired', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 2);
  const add = (id: string): string => seen.add(id, clock.wall());
  expect(['a', 'b', 'c', 'a'].map(add)).toEqual(['new', 'new', 'full', 'seen']);
  clock.advance(30_000);
  expect(add('c')).toBe('new');
});

it('a proof that was forgotten is not accepted again after the wall clock was set back', () => {
  const clock = new TestClock();
  const seen = new SeenProofs(clock, 20_000, 10);
  const at = clock.wall();
  expect(seen.add('a', at)).toBe('new');
  clock.advance(60_000);
  expect(seen.add('b', clock.wall())).toBe('new');
  clock.skewWall(-60_000);
  expect([seen.add('a', at), seen.add('c', at + 1)]).toEqual(['seen', 'new']);
});

it('a process that pauses while it verifies a proof still knows afterwards that it was used', async () => {
  const clock = new TestClock();
  const options = binding({ dpop: 'optional' }, 'binding') as ResolvedBinding;
  const proofs = new DpopProofs(await loadJose(), clock, options, undefined);
  const key = new DpopKey();
  const dpop = key.proof('POST', 'https://a.example/login', { now: clock.wall() });
  const headers = { host: 'a.example', dpop };
  const request = { headers, method: 'POST', url: '/login', protocol: 'https' };
  expect(await proofs.verify(request)).toBe(key.jkt);
  const again = proofs.verify(request);
  clock.advance(60_000);
  await expect(again).rejects.toMatchObject({ code: 'dpop_proof_invalid' });
});
