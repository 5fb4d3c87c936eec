import { existsSync, readFileSync } from 'node:fs';

/** `e2e/logout.spec.ts: a part of a title`; the title may be left out. */
const REFERENCE = /^([\w./-]+\.ts)(?:: (.+))?$/;
const COMMENTS = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;

/**
 * What is wrong with the name of a test as the documents write it, or `undefined`: its file below
 * `test/` must exist, and the title must be in it, in code and not in a comment.
 */
export function problemOfReference(reference: string): string | undefined {
  const [, file, title] = REFERENCE.exec(reference) ?? [];
  if (file === undefined) return `${reference}: not of the form "folder/file.ts: title"`;
  const path = `test/${file}`;
  if (!existsSync(path)) return `${reference}: there is no ${path}`;
  if (title === undefined) return undefined;
  const code = readFileSync(path, 'utf8').replaceAll(COMMENTS, '').replaceAll("\\'", "'");
  return code.includes(title) ? undefined : `${reference}: no such title in ${path}`;
}

/** The names of tests in a document: all of its code spans that look like one. */
export function referencesIn(markdown: string): string[] {
  return [...markdown.matchAll(/`([^`\n]+)`/g)]
    .map(([, span]) => span ?? '')
    .filter((span) =>
      /^(?:unit|e2e|cluster|security|transports|package|types|bench|explorer|faults|releases|browser)\/.*\.ts(?::|$)/.test(
        span,
      ),
    );
}
