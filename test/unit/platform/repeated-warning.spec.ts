import { expect, it } from '@jest/globals';
import { RepeatedWarning } from '../../../lib/platform/log-text.js';
import { TestClock } from '../../../lib/testing/test-clock.js';

it('a warning is logged at once, then at most every ten seconds with the number of omissions', () => {
  const clock = new TestClock();
  const lines: string[] = [];
  const warning = new RepeatedWarning(clock, (line) => lines.push(line));
  for (let second = 0; second < 12; second++) {
    warning.say(`at ${second}`);
    clock.advance(1_000);
  }
  expect(lines).toEqual(['at 0', 'at 10 (And 9 times before.)']);
});
