import type { Mutation } from './mutation.js';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What refreshes rest on when they are flooded, retried late, or stolen (issue 9). */
export const REFRESH_MUTATIONS: readonly Mutation[] = [
  one(
    'S1: every text waits in one lane',
    'sessions/refresh-token-lookup.service',
    'hasCheckValueOf(token, this.checkKeys()) ? this.own : this.strangers',
    'this.strangers',
    'cluster/sessions/strangers',
  ),
  one(
    'S1: the queue of strangers has no bound',
    'sessions/lookup-lane',
    'if (this.waiting.size >= this.limits.queue)',
    'if (false)',
    'unit/sessions/lookup-lane|cluster/sessions/strangers',
  ),
  one(
    'S1: each text is looked up by a statement of its own',
    'sessions/lookup-lane',
    '.slice(0, this.limits.batch)',
    '.slice(0, 1)',
    'unit/sessions/lookup-lane|cluster/sessions/strangers',
  ),
  one(
    'S1: a token without a right check value is refused',
    'sessions/refresh-token-lookup.service',
    'const lane = ',
    'if (!hasCheckValueOf(token, this.checkKeys())) return Promise.resolve(undefined); const lane = ',
    'cluster/sessions/strangers',
  ),
  one(
    'S1: the check value of a key that leaked is right',
    'authentication/key-ring.service',
    'if (key.secretHalf === null || this.revocation.isKeyRevoked(key.kid))',
    'if (key.secretHalf === null)',
    'cluster/sessions/strangers',
  ),
  one(
    'S1: a key that signs no more makes its tokens strangers',
    'authentication/key-ring.service',
    '(key.sign !== null && until === null ? signing : others).push(key.secretHalf);',
    'if (key.sign !== null && until === null) signing.push(key.secretHalf);',
    'cluster/sessions/strangers',
  ),
];
