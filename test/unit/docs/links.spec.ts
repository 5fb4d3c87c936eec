import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const papers = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** GitHub's name of a heading. */
function anchorOf(heading: string): string {
  const plain = heading.replaceAll(/[`*]|\[|\]\([^)]*\)/g, '').trim();
  return plain
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

const anchorsIn = (path: string): string[] =>
  [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    anchorOf(heading ?? ''),
  );

/** Links inside the repository; those to other places are not followed. */
function linksIn(path: string): string[] {
  const prose = readFileSync(path, 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link ?? '')
    .filter((link) => !/^[a-z]+:/.test(link));
}

describe('links between the documents', () => {
  it.each(papers)('the links and anchors exist: %s', (path) => {
    const broken = linksIn(path).filter((link) => {
      const [file = '', anchor] = link.split('#', 2);
      const target = file === '' ? path : join(dirname(path), file);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsIn(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

it('README.md has at most 1,900 words', () => {
  expect(readFileSync('README.md', 'utf8').split(/\s+/).length).toBeLessThanOrEqual(1_900);
});

it.each(papers)('%s names only files of this repository that exist', (path) => {
  const named = [...readFileSync(path, 'utf8').matchAll(/`((?:lib|sample|test)\/[\w./-]+)`/g)];
  const missing = named.map(([, file]) => file ?? '').filter((file) => !existsSync(file));
  expect(missing).toEqual([]);
});
