import { beforeAll, describe, expect, it } from '@jest/globals';
import { EXPLORING_LIMIT, exploreApart } from './explore-apart.js';
import type { Exploration } from './explore.js';
import { SCOPES } from './scopes.js';

describe('every state of a small model of the protocol, all rules on', () => {
  let found: ReadonlyMap<string, Exploration>;

  beforeAll(async () => {
    found = await exploreApart('scopes');
  }, EXPLORING_LIMIT);

  it.each(Object.keys(SCOPES))(
    'the model keeps every promise, and never gets stuck: %s',
    (name) => {
      expect(found.get(name)?.violation).toBeUndefined();
      expect(found.get(name)).toMatchObject({ complete: true });
    },
  );

  it('the model has at least a million states', () => {
    const total = [...found.values()].reduce((sum, { states }) => sum + states, 0);
    const lines = [...found].map(([name, { states }]) => `${String(states).padStart(9)}  ${name}`);
    console.log([...lines, `${String(total).padStart(9)}  together`].join('\n'));
    expect(total).toBeGreaterThanOrEqual(1_000_000);
  });
});
