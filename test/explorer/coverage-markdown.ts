import { COVERAGE } from './coverage.js';
import type { CounterExample, Exploration } from './explore.js';
import { RULE_NAMES, type RuleName, RULES } from './rules.js';
import { SWITCHES } from './switches.js';
import { WRONG_FEEDS } from './wrong-scopes.js';

const INTRODUCTION = `# How each rule of the protocol is tested

Generated from \`test/explorer\` by \`node build/test/explorer/write-coverage.js\`; do not edit
it by hand. A test fails when it is out of date, when a named test does not exist, or when the explorer no
longer finds the same.

The explorer (\`test/explorer\`) visits every state of a small model of the protocol: instances that
log in, refresh, write, poll, load, purge and die; callers' transactions; lost answers to COMMIT; late
answers; failover, with and without lost commits; backups; a bounded time. \`npm run test:long\` finishes
scopes of eight million states together, \`npm run test:explorer\` larger ones. With all rules on, no promise
is broken, no fork is a false one, and from every state a few healthy rounds make every instance fresh.
With one rule switched off there is a counter-example; the first one found is a shortest one. Tests are
identified by their file below \`test/\`. The rules themselves are in [protocol.md](protocol.md).

Three parts of rules are not switches, because no scope shows what they are for: that a fork jumps (H3),
that the log id is compared, and that an answer has no gap (F3; a log that follows W1 has none). They have
tests instead.

The model assumes that a connection does not outlive its server: the new primary never answers a poll that
was sent to the old one.

One rule is in the model and not in the library: \`F3 heard late\`. The COMMIT of an instance is answered by
a server that is gone by then, after the instance has followed the new one past that position. The instance
still refuses what it revoked, but does not count it among the lost events.
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
