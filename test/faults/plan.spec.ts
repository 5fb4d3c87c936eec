import { describe, expect, it } from '@jest/globals';
import { type FaultKind, INSTANCE_FAULTS, planFaults } from './cluster/fault-plan.js';
import { planScenario } from './load/scenario.js';
import { Random } from './random.js';

const BOUND = 2_000;

describe('the plan of a fault run', () => {
  const scenarios = (seed: number): unknown[] => {
    const random = new Random(seed, 'client', 1, 7);
    return Array.from({ length: 200 }, () => planScenario(random, BOUND));
  };

  it('the plan follows from the seed alone', () => {
    expect(planFaults(7, 3, 25_000, BOUND)).toEqual(planFaults(7, 3, 25_000, BOUND));
    expect(planFaults(7, 3, 25_000, BOUND)).not.toEqual(planFaults(8, 3, 25_000, BOUND));
    expect(planFaults(7, 3, 25_000, BOUND)).not.toEqual(planFaults(7, 4, 25_000, BOUND));
    expect(scenarios(7)).toEqual(scenarios(7));
    expect(scenarios(7)).not.toEqual(scenarios(8));
  });

  it('the plan has every kind of fault in a few rounds, including pauses and freezes past the lease', () => {
    const faults = Array.from({ length: 20 }, (_, round) => planFaults(1, round, 25_000, BOUND));
    const kinds = new Set(faults.flat().map(({ kind }) => kind));
    const all: readonly FaultKind[] = [...INSTANCE_FAULTS, 'database'];
    expect([...kinds].sort()).toEqual([...all].sort());
    for (const kind of ['pause', 'freeze', 'refuse', 'database']) {
      const isLong = faults.flat().some((each) => each.kind === kind && each.lasts > BOUND);
      expect([kind, isLong]).toEqual([kind, true]);
    }
  });

  it('the plan starts a fault of an instance only after its previous one has ended', () => {
    for (let round = 0; round < 50; round++) {
      for (const on of [0, 1, 2]) {
        const line = planFaults(1, round, 25_000, BOUND).filter((fault) => fault.on === on);
        for (const [index, { at }] of line.entries()) {
          const before = line[index - 1];
          if (before !== undefined) expect(at).toBeGreaterThan(before.at + before.lasts);
        }
      }
    }
  });

  it('the plan checks every instance at once, until the bound, and after it', () => {
    const looks = Array.from({ length: 50 }, (_, client) =>
      planScenario(new Random(1, client), BOUND),
    ).flatMap(({ after }) => after);
    for (const on of [0, 1, 2]) {
      const its = looks.filter((look) => look.on === on).map(({ after }) => after);
      expect(its.some((after) => after === 0)).toBe(true);
      expect(its.some((after) => after > BOUND && after < BOUND * 1.02)).toBe(true);
      expect(its.some((after) => after > BOUND * 1.5)).toBe(true);
    }
  });
});
