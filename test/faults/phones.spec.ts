import { expect, it } from '@jest/globals';
import { runFleet } from './phones/fleet.js';

const DAYS = 86_400_000;

it('A28: in a fleet of phones on a bad network no honest user is logged out, and no theft lasts', async () => {
  const report = await runFleet({ seed: 9, phones: 200, length: 3 * DAYS, thefts: 0.25 });
  expect(report.violations).toEqual([]);
  // It was a bad network, and there were thieves.
  expect(report.lateRetries).toBeGreaterThan(100);
  expect(report.thefts).toBeGreaterThan(20);
});
