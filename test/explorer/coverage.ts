/** One rule of protocol.md, a summary, and the tests besides the explorer that show it. */
export interface RuleCoverage {
  readonly rule: string;
  readonly says: string;
  /** Files below `test/`, with a part of a title where the file shows more than the rule. */
  readonly tests: readonly string[];
}

/** Every rule of protocol.md, in its order. */
export const PROTOCOL_RULES: readonly string[] = `
  G1 G2 G3 G4 G5 G6 W1 W2 W3 W4 W5 C1 C2 C3 C4 C5 F1 F2 F3 F4 F5 F6 F7 T1 T2 X1 X2 X3 H1 H2 H3 H4 H5
`
  .trim()
  .split(/\s+/);

const row = (rule: string, says: string, ...tests: string[]): RuleCoverage => ({
  rule,
  says,
  tests,
});

export const COVERAGE: readonly RuleCoverage[] = [
  row(
    'G1',
    'the position is read before authority is checked',
    'cluster/protocol/g1-position-before-password.spec.ts',
  ),
  row(
    'G2',
    'iat and exp come from database time in that read',
    'cluster/protocol/g2-database-time.spec.ts',
  ),
  row(
    'G3',
    'an event kills below its first position, also when it is tried again',
    'cluster/protocol/g3-retry-keeps-kills-below.spec.ts',
  ),
  row(
    'G4',
    'any live event kills, in whatever order',
    'cluster/protocol/g4-any-event-kills.spec.ts',
    'unit/revocation/index/mark.spec.ts',
  ),
  row(
    'G5',
    'a position beyond the own one is decided strictly; beyond the head: 503 and a jump',
    'cluster/protocol/g5-beyond-own-position.spec.ts',
  ),
  row(
    'G6',
    'refresh looks at watermarks, not at events',
    'cluster/sessions/purge.spec.ts',
    'cluster/sessions/refresh.spec.ts',
  ),
  row(
    'W1',
    'positions are given under the head lock, in commit order, without gaps',
    'cluster/protocol/w1-position-is-commit-order.spec.ts',
    'cluster/protocol/w1-one-statement.spec.ts',
    'cluster/protocol/w1-id-cursor-loses.spec.ts',
  ),
  row('W2', 'keys are 128 bits of an unambiguous encoding', 'cluster/protocol/w2-keys.spec.ts'),
  row(
    'W3',
    'an event is kept for the longest registered token lifetime',
    'cluster/protocol/w3-retention.spec.ts',
  ),
  row(
    'W4',
    'an unanswered COMMIT is provisional until it is settled',
    'cluster/protocol/w4-lost-commit.spec.ts',
    'cluster/protocol/w1-one-statement.spec.ts',
    'cluster/protocol/c4-mover-commit-lost.spec.ts',
  ),
  row('W5', 'concurrent logouts share a transaction', 'cluster/protocol/w5-group-commit.spec.ts'),
  row(
    'C1',
    'a caller’s transaction writes to auth_pending only',
    'cluster/protocol/c1-touches-only-pending.spec.ts',
  ),
  row(
    'C2',
    'every poll reads pending events; each counts as the next position',
    'cluster/protocol/c2-c3-pending-counts.spec.ts',
  ),
  row('C3', 'a pending event does not expire', 'cluster/protocol/c2-c3-pending-counts.spec.ts'),
  row(
    'C4',
    'logins and refreshes wait until pending events have their numbers',
    'cluster/protocol/c4-mover.spec.ts',
    'cluster/protocol/c4-mover-commit-lost.spec.ts',
  ),
  row(
    'C5',
    'everything counts from the caller’s commit',
    'cluster/protocol/c5-counts-from-commit.spec.ts',
    'cluster/protocol/c5-sqlite-gate.spec.ts',
  ),
  row(
    'F1',
    'one statement on the primary, one poll in flight',
    'cluster/feed/f1-one-statement-on-the-primary.spec.ts',
    'cluster/feed/kept-open-snapshot.spec.ts',
  ),
  row(
    'F2',
    'an answer is judged by its sending, and dropped after a later one',
    'cluster/feed/f2-judged-by-its-sending.spec.ts',
  ),
  row(
    'F3',
    'what an answer must hold to be accepted',
    'cluster/feed/f3-what-makes-an-answer-a-proof.spec.ts',
    'cluster/feed/h1-fork.spec.ts',
  ),
  row(
    'F4',
    'a proof is dated by its sending, after the registration',
    'cluster/feed/f4-proof-dated-at-sending.spec.ts',
  ),
  row(
    'F5',
    'the lease is judged at each decision, on both clocks',
    'cluster/feed/f5-lease.spec.ts',
  ),
  row(
    'F6',
    'a request that finds the lease expired waits for one shared poll',
    'cluster/feed/f6-waiting-for-a-proof.spec.ts',
  ),
  row('F7', 'closed until a load and a proof after it', 'cluster/feed/f7-cold-load.spec.ts'),
  row(
    'T1',
    'tokens expire by the later clock',
    'cluster/feed/t1-now.spec.ts',
    'cluster/feed/clocks-that-step.spec.ts',
  ),
  row(
    'T2',
    'forgetting goes by the earlier clock, and stops while the clocks differ',
    'cluster/feed/t2-purge-by-database-time.spec.ts',
    'cluster/feed/clocks-that-step.spec.ts',
  ),
  row('X1', 'the last row stays', 'cluster/feed/x1-the-last-row-stays.spec.ts'),
  row(
    'X2',
    'purged_through is raised in the deleting transaction; one purges at a time',
    'cluster/feed/x2-purging-beside-others.spec.ts',
    'cluster/feed/s16-claim-renewed.spec.ts',
  ),
  row(
    'X3',
    'overtaken by the purge: reload, and compare',
    'cluster/feed/x3-overtaken-by-the-purge.spec.ts',
  ),
  row('H1', 'a fork closes, reloads and merges, and is reported', 'cluster/feed/h1-fork.spec.ts'),
  row(
    'H2',
    'positions never come again: jump; tokens of the gap are judged with gen 0',
    'cluster/protocol/h2-no-position-twice.spec.ts',
    'cluster/failover/promoted.spec.ts',
    'cluster/failover/lost-future.spec.ts',
    'unit/revocation/index/history-gaps.spec.ts',
  ),
  row(
    'H3',
    'a fork jumps; without an identity, or a running instance that follows the log, every load',
    'cluster/protocol/h2-no-position-twice.spec.ts',
    'cluster/failover/restored-backup.spec.ts',
    'cluster/failover/lost-future.spec.ts',
    'cluster/cli/new-history.spec.ts',
  ),
  row(
    'H4',
    'each instance registers its bound and its longest token lifetime',
    'cluster/feed/h4-registered-bound.spec.ts',
  ),
  row('H5', 'an unknown kind or format closes', 'cluster/feed/h5-newer-release.spec.ts'),
];
