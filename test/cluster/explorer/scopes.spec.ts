import { beforeAll, describe, expect, it } from '@jest/globals';
import { EXPLORING_LIMIT, exploreApart } from './explore-apart.js';
import type { Exploration } from './explore.js';
import { SCOPES } from './scopes.js';

describe('every state of a small model of protocol.md, all rules on', () => {
  let found: ReadonlyMap<string, Exploration>;

  beforeAll(async () => {
    found = await exploreApart('scopes');
  }, EXPLORING_LIMIT);

  it.each(Object.keys(SCOPES))('keeps every promise, and never sticks: %s', (name) => {
    expect(found.get(name)).toMatchObject({ states: expect.any(Number) });
    expect(found.get(name)?.violation).toBeUndefined();
  });

  it('is at least a million states of scopes that were finished', () => {
    const finished = [...found.values()].filter(({ complete }) => complete);
    const total = finished.reduce((sum, { states }) => sum + states, 0);
    const lines = [...found].map(
      ([name, { states, complete }]) =>
        `${String(states).padStart(9)}  ${name}${complete ? '' : ' (not finished)'}`,
    );
    console.log(
      [...lines, `${String(total).padStart(9)}  together, of those that were finished`].join('\n'),
    );
    expect(total).toBeGreaterThanOrEqual(1_000_000);
  });
});
