import type { Mutation } from './mutation.js';

const LOST_FUTURE = 'cluster/failover/lost-future';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** Lost futures, clocks, keys of issuers and what is purged (issue 9). */
export const LOG_MUTATIONS: readonly Mutation[] = [
  one(
    'a log that no instance follows is loaded without a jump',
    'revocation/open-log',
    "integerOf(rows[0]?.['running']) > 0",
    'true',
    LOST_FUTURE,
  ),
  one(
    'a token of a gap is judged by its gen like any other',
    'revocation/index/history-gaps',
    'if (gen > gap.after)\n                return 0;',
    '',
    `${LOST_FUTURE}|unit/revocation/history-gaps`,
  ),
  one(
    'a jump is kept for two minutes only',
    'revocation/store/log.transactions',
    'until: head.now + Math.max(head.maxTokenLife, this.history.maxTokenLife) + RETENTION_MARGIN',
    'until: head.now + RETENTION_MARGIN',
    LOST_FUTURE,
  ),
];
