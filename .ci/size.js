// Prints lines, files and the share of comment lines for each folder of lib: npm run size
import { readdirSync, readFileSync } from 'node:fs';

// Entries of the package that an application may leave out, and the test helpers.
const APART = ['testing', 'terminus', 'prometheus', 'postgres', 'redis', 'nats'];
const LIMITS = { lines: 18_000, files: 170, comments: 25 };

const folders = new Map();
for (const file of readdirSync('lib', { recursive: true }).filter((file) => file.endsWith('.ts'))) {
  const folder = file.includes('/') ? file.split('/')[0] : '.';
  const lines = readFileSync(`lib/${file}`, 'utf8').trimEnd().split('\n');
  const comments = lines.filter((line) => /^\s*(\/\/|\/\*|\*)/.test(line)).length;
  const sum = folders.get(folder) ?? { lines: 0, files: 0, comments: 0 };
  sum.lines += lines.length;
  sum.files += 1;
  sum.comments += comments;
  folders.set(folder, sum);
}
const counted = [...folders].filter(([folder]) => !APART.includes(folder));
const total = (name) => counted.reduce((sum, [, each]) => sum + each[name], 0);
const all = { lines: total('lines'), files: total('files'), comments: total('comments') };
const rows = [...counted.toSorted(([a], [b]) => a.localeCompare(b)), ['total', all]];
console.log('lib'.padEnd(16), ' lines', 'files', 'comments');
for (const [folder, { lines, files, comments }] of rows) {
  const share = `${((100 * comments) / lines).toFixed(1)} %`;
  console.log(
    folder.padEnd(16),
    String(lines).padStart(6),
    String(files).padStart(5),
    share.padStart(8),
  );
}
console.log(
  `limits: at most ${LIMITS.lines} lines and ${LIMITS.files} files, about ${LIMITS.comments} % comments; without ${APART.join(', ')}`,
);
