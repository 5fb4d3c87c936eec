import { COVERAGE } from './coverage.js';
import type { CounterExample, Exploration } from './explore.js';
import { RULE_NAMES, type RuleName, RULES } from './rules.js';
import { SWITCHES } from './switches.js';
import { WRONG_FEEDS } from './wrong-scopes.js';

const INTRODUCTION = `# What shows each rule of the protocol

Generated from \`test/explorer\` by \`node build/test/explorer/write-coverage.js\`; do not edit
it by hand. A test fails when it is out of date, when a named test does not exist, or when the explorer no
longer finds what stands here.

The explorer (\`test/explorer\`) visits every state of a small model of the protocol: instances that
log in, refresh, write, poll, load, purge and die; callers' transactions; lost answers to COMMIT; answers
that come late; fail-over, with and without lost commits; backups; a bounded time. \`npm run test:long\` finishes
scopes of eight million states together, \`npm run test:explorer\` larger ones. With all rules on no promise
is broken, no fork is a false one, and from every state a few healthy rounds make every instance fresh.
Switched off, each rule has a counter-example; the first one found is a shortest one. Tests are named by
their file below \`test/\`.

Rules have parts, and three parts are no switch, because no scope shows what they are for: that a fork
jumps (H3), that the log id is compared, and that an answer has no gap (F3; a log that is numbered as W1
says has none). Tests show those.

The model assumes that a connection does not outlive its server: a poll that was sent to the old primary
is never answered by the new one.

One rule stands in the model and not in the library: \`F3 heard late\`. An instance whose COMMIT was
answered by a server that is gone by then, after it had followed the new one past that position, goes on
refusing what it ended, and does not count it among the events that were lost.
`;

type Found = ReadonlyMap<string, Exploration>;

/** The text of docs/protocol-coverage.md. */
export function coverageMarkdown(rules: Found, feeds: Found): string {
  const lengthOf = (name: RuleName): string =>
    `${name} (${rules.get(name)?.violation?.steps.length ?? 'nothing found'})`;
  const table = COVERAGE.map(({ rule, says, tests }) => {
    const shown = RULE_NAMES.filter((name) => name.split(' ')[0] === rule).map(lengthOf);
    const named = tests.map((test) => `\`${test}\``);
    const cells = [rule, says, shown.join('<br>') || '-', named.join('<br>') || '-'];
    return `| ${cells.join(' | ')} |\n`;
  });
  const switches = RULE_NAMES.map((name) =>
    section(`Without ${name}: ${RULES[name]}`, `Scope: ${SWITCHES[name]}.`, rules.get(name)),
  );
  const wrong = Object.entries(WRONG_FEEDS).map(([name, { why }]) =>
    section(`The feed "${name}"`, `${why[0]?.toUpperCase()}${why.slice(1)}.`, feeds.get(name)),
  );
  return (
    `${INTRODUCTION}\n## Rules\n\n` +
    '| rule | says | explorer: switch (steps of a shortest counter-example) | tests |\n' +
    `|---|---|---|---|\n${table.join('')}` +
    `\n## Counter-examples\n\nInstances A and B, sessions S and T, events E1 and E2, jumps J1 and J2.\n` +
    switches.join('') +
    `\n## Feeds that lose events or stall\n${wrong.join('')}`
  );
}

function section(title: string, where: string, found: Exploration | undefined): string {
  return `\n### ${title}\n\n${where} ${stepsOf(found?.violation)}`;
}

function stepsOf(violation: CounterExample | undefined): string {
  if (violation === undefined) return 'Nothing found.\n';
  const steps = violation.steps.map((step, index) => `${index + 1}. ${step}\n`);
  return `Broken: ${violation.promise}.\n\n${steps.join('')}`;
}
