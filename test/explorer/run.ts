import { explore, type Exploration } from './explore.js';
import { LARGE_SCOPES } from './large-scopes.js';
import { RULE_NAMES, rulesWithout } from './rules.js';
import { SCOPES } from './scopes.js';
import { SWITCHES } from './switches.js';
import { WRONG_FEEDS } from './wrong-scopes.js';

/*
 * node build/test/explorer/run.js scopes|large|rules|feeds [--json] [part of a name]
 *
 * A process of its own: in the sandbox of a test runner every access to a global costs a microsecond.
 */
const [what, ...rest] = process.argv.slice(2);
const isJson = rest.includes('--json');
const wanted = rest.find((each) => !each.startsWith('--')) ?? '';

/** An exploration that needs more states than this has no result. */
const LIMIT = 3_000_000;

const works: Record<string, () => Iterable<readonly [string, () => Exploration]>> = {
  *scopes() {
    for (const [name, scope] of Object.entries(SCOPES)) {
      yield [name, () => explore(scope, rulesWithout())];
    }
  },
  *large() {
    for (const [name, scope] of Object.entries(LARGE_SCOPES)) {
      yield [name, () => explore(scope, rulesWithout())];
    }
  },
  *rules() {
    for (const rule of RULE_NAMES) {
      yield [rule, () => explore(SCOPES[SWITCHES[rule]], rulesWithout(rule), LIMIT)];
    }
  },
  *feeds() {
    for (const [name, { scope, without }] of Object.entries(WRONG_FEEDS)) {
      yield [name, () => explore(scope, rulesWithout(...without), LIMIT)];
    }
  },
};

const work = works[what ?? ''];
if (work === undefined) throw new Error(`${what}: not one of ${Object.keys(works).join(', ')}`);
let total = 0;
for (const [name, run] of work()) {
  if (!name.includes(wanted)) continue;
  const started = performance.now();
  const found = run();
  total += found.states;
  if (isJson) console.log(JSON.stringify({ name, ...found }));
  else tell(name, found, Math.round(performance.now() - started));
}
if (!isJson) console.log(`${total} states together`);

function tell(name: string, { states, complete, violation }: Exploration, took: number): void {
  const how = complete ? 'all states' : violation === undefined ? 'NOT COMPLETE' : 'stopped';
  console.log(`${name}: ${states} states (${how}), ${took} ms`);
  if (violation === undefined) return;
  console.log(`  ${violation.promise}`);
  violation.steps.forEach((step, index) => console.log(`  ${index + 1}. ${step}`));
}
