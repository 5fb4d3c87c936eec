import type { Mutation } from './mutation.js';

const DECIDER = 'revocation/revocation-decider.service';
const REPORTER = 'revocation/verdict-reporter.service';
const POLICIES = 'revocation/staleness/stale-policies.service';
const OVERRIDE = 'revocation/staleness/staleness-override.service';
const WHEN_STALE = 'cluster/policies/when-stale';
const BOUND = 'cluster/policies/widened-bound';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What failure policies, overrides, observing and processes that only write rest on (issue 4). */
export const POLICY_MUTATIONS: readonly Mutation[] = [
  one(
    'a policy has no limit',
    DECIDER,
    'if (upTo > this.options.maxStaleness && this.proofs.isFresh(upTo)) {',
    'if (upTo > this.options.maxStaleness) {',
    WHEN_STALE,
  ),
  one(
    'after a contradiction policies still use the old proof',
    'revocation/staleness/proof-clock',
    'this.proof = undefined;',
    '',
    WHEN_STALE,
  ),
  {
    name: 'a token ahead of the log after a proof is decided by the policy',
    edits: [
      {
        file: DECIDER,
        find: 'if (isProven && this.proofs.isFresh() && this.isAhead(claims)) {',
        replace: 'if (false) {',
      },
      { file: DECIDER, find: 'if (isProven && this.isAhead(claims))', replace: 'if (false)' },
    ],
    tests: WHEN_STALE,
  },
  one(
    'a token that is known to be revoked is decided by the policy',
    DECIDER,
    'const known = this.look(claims, kid, kept);\n        if (known !== undefined)\n            return known;\n        if (this.callers.size',
    'const known = this.look(claims, kid, kept);\n        if (known !== undefined && upTo <= this.options.maxStaleness)\n            return known;\n        if (this.callers.size',
    WHEN_STALE,
  ),
  one(
    'a class loosens a handler that asks for freshness',
    'revocation/staleness/freshness.decorators',
    "const isTightened = own.freshness !== undefined || freshness === 'strict';",
    'const isTightened = false;',
    'unit/authentication/when-stale',
  ),
  one(
    'the module loosens a route that asks for freshness',
    DECIDER,
    'return freshness === undefined ? this.options.whenStale : NEVER;',
    'return this.options.whenStale;',
    'cluster/policies/(when-stale|override)',
  ),
  one(
    'the use of a policy is not reported',
    REPORTER,
    "this.events.tell({ type: 'accepted_stale', subject, sessionId, reason });",
    '',
    WHEN_STALE,
  ),
  one(
    'only maxStaleness is registered',
    'revocation/log/revocation-log.service',
    'const bounds = { maxStaleness: this.policies.widest,',
    'const bounds = { maxStaleness: this.options.maxStaleness,',
    BOUND,
  ),
  one(
    'an observe period that is over still allows any policy until the next poll',
    POLICIES,
    'this.update(); // Observing',
    '// Observing',
    BOUND,
  ),
  one(
    'policies of providers are not found',
    'platform/module-graph',
    '[...controllers.values(), ...providers.values()]',
    '[...controllers.values()]',
    BOUND,
  ),
  one(
    'a policy that was not there at boot widens the bound silently',
    POLICIES,
    'if (upTo > this.widest) {',
    'if (false) {',
    BOUND,
  ),
  one(
    "'open' at a route needs no one’s name",
    POLICIES,
    'if (this.options.openAcknowledgedBy !== undefined || !isProduction())\n            return;',
    'return;',
    BOUND,
  ),
  one(
    'wait: everywhere waits for an instance that never refuses',
    'revocation/revocation-writer.service',
    "if (wait === 'everywhere' && widest >= UNBOUNDED) {",
    'if (false) {',
    BOUND,
  ),
  one(
    'an override outlives a wall clock that is set back',
    OVERRIDE,
    ' || this.clock.monotonic() >= running.endsAt',
    '',
    'cluster/policies/override',
  ),
  one(
    'an override may go above its ceiling',
    OVERRIDE,
    'if (upTo <= overrideCeiling)',
    'if (true)',
    'cluster/policies/override',
  ),
  one(
    'an override opens a route whose policy is closed',
    DECIDER,
    "if (policy === 'closed')\n            return NEVER;",
    "if (policy === 'closed')\n            return this.options.maxStaleness;",
    'cluster/policies/override',
  ),
  one(
    'observe mode has no end',
    REPORTER,
    ' && this.proofs.now() < observeUntil',
    '',
    'cluster/policies/observe',
  ),
  one(
    'observe mode starts before it is registered',
    REPORTER,
    'observeUntil !== undefined && this.feed.ready && ',
    'observeUntil !== undefined && ',
    'cluster/policies/observe',
  ),
  one(
    'a process that only writes keeps what it wrote in memory',
    'revocation/log/revocation-log.service',
    'if (this.options.follow)\n            for (const event of appended.events)',
    'for (const event of appended.events)',
    'cluster/policies/follow-false',
  ),
  one(
    'a process that only writes polls',
    'revocation/feed/revocation-feed.service',
    'this.isStopped = !options.follow;',
    'this.isStopped = false;',
    'cluster/policies/follow-false',
  ),
  one(
    'a process that only writes never settles an in-doubt commit',
    'revocation/log/in-doubt-commits',
    'this.clock.schedule(SETTLE_AGAIN, () => void this.retries.join());',
    '',
    'cluster/policies/follow-false',
  ),
];
