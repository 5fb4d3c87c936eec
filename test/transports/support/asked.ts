import { describe, expect, it } from '@jest/globals';
import { ASKED, type AskingSpec } from './compatibility.js';
import type { RowName } from './table.js';

const lines = new Set<RowName>();

/** Notes that the spec has tests of this line, which run or are skipped by name. */
export function asked(name: RowName): void {
  lines.add(name);
}

/** The last line of a spec: docs/compatibility.md names the tests that it has. */
export function expectLines(spec: AskingSpec): void {
  describe('docs/compatibility.md', () => {
    it(`shows by ${spec} what it tests, and nothing else`, () => {
      expect([...ASKED[spec]].toSorted()).toEqual([...lines].toSorted());
    });
  });
}
