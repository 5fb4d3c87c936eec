import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { MUTATIONS } from '../../mutations/mutations.js';

/** Compiled, this file is in build/test/unit/mutations. */
const LIBRARY = resolve(import.meta.dirname, '../../../lib');

describe('the list of mutations', () => {
  it('each text to replace occurs exactly once in its file', () => {
    const texts = new Map<string, string>();
    const textOf = (file: string): string => {
      const text = texts.get(file) ?? readFileSync(resolve(LIBRARY, `${file}.js`), 'utf8');
      texts.set(file, text);
      return text;
    };
    const wrong = MUTATIONS.flatMap(({ name, edits }) =>
      edits
        .filter(({ file, find }) => textOf(file).split(find).length !== 2)
        .map(({ file, find }) => `"${name}": ${find} (${file})`),
    );
    expect(wrong).toEqual([]);
  });

  it('each mutation has its own name', () => {
    const names = MUTATIONS.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});
