import { expect, it, jest } from '@jest/globals';
import { runFaults } from './fault-run.js';
import { describeViolation } from './history/violation.js';

/** Printed, so that a failed run can be repeated: `FAULT_SEED=… npm run test:long`. */
const SEED = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

// A minute of load, and the time to start and to settle on a busy machine.
jest.setTimeout(240_000);

it(`a minute of faults breaks no promise (seed ${SEED})`, async () => {
  const texts: string[] = [];
  const { operations, byKind, faults } = await runFaults({
    seed: SEED,
    length: 60_000,
    clients: 60,
    onRound: ({ violations, history }) => {
      texts.push(...violations.map((violation) => describeViolation(violation, history)));
    },
  });
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  console.info(`seed ${SEED}: ${operations} operations (${list(byKind)}), faults: ${list(faults)}`);
  expect(texts.join('\n')).toBe('');
  for (const kind of ['login', 'refresh', 'me', 'logout', 'logoutOthers', 'logoutAll']) {
    expect([...byKind.keys()]).toContain(kind);
  }
});
