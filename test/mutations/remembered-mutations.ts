import type { Mutation } from './mutation.js';

const VERIFIER = 'authentication/token-verifier';
const GUARD = 'authentication/jwt-auth.guard';
const STRATEGY = 'authentication/jwt.strategy';
const MEMORY = 'authentication/verified-tokens';

function one(name: string, file: string, find: string, replace: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests: 'security/remembered-tokens' };
}

/** What the memory of verified tokens rests on (JW-15). */
export const REMEMBERED_MUTATIONS: readonly Mutation[] = [
  one(
    'a remembered token is not checked again',
    STRATEGY,
    'return this.judge(request, token, demand);',
    'return token.keys ? { error: null, user: token.claims, info: undefined } : this.judge(request, token, demand);',
  ),
  one(
    'a remembered token does not expire',
    VERIFIER,
    'this.checkTimes(accepted.claims, allowExpired);',
    'if (accepted !== token) this.checkTimes(accepted.claims, allowExpired);',
  ),
  one(
    'a token is found by the end of its text alone',
    VERIFIER,
    'token?.text !== text',
    'token === undefined',
  ),
  one('a remembered token outlives its key', VERIFIER, 'isPast(token.until, this.proofs)', 'false'),
  one(
    'a change of the keys forgets no remembered token',
    VERIFIER,
    'if (verified.revision !== ring.revision)',
    'if (false)',
  ),
  one(
    'a retired key’s tokens stay remembered',
    'authentication/key-ring',
    'this.revision++;\n        entry.retired = true;',
    'entry.retired = true;',
  ),
  one(
    'requests with one token share its claims',
    VERIFIER,
    'const copy = { ...claims };',
    'return claims;',
  ),
  one(
    'requests with one token share the objects in its claims',
    VERIFIER,
    'copy[name] = deepCopy(copy[name]);',
    ';',
  ),
  one(
    'tokens are remembered without a limit of their number',
    MEMORY,
    'this.byTail.size >= this.most || ',
    '',
  ),
  one(
    'a token that was used again is forgotten first',
    MEMORY,
    'if (!token.wasUsed ||',
    'if (true ||',
  ),
  one(
    'tokens are remembered without a limit of their size',
    MEMORY,
    ' || this.bytes + bytes > MOST_BYTES',
    '',
  ),
  one('claims of any depth are remembered', MEMORY, 'if (token.isTooDeep ||', 'if (false ||'),
  one(
    'a memory that is too small logs no warning',
    MEMORY,
    'if (found < this.evicted) {',
    'if (false) {',
  ),
  one(
    'a request lacks the methods of passport',
    GUARD,
    'guard[STRATEGY].lendMethods(request);',
    '',
  ),
  one(
    'an override of canActivate gets no promise for a remembered token',
    GUARD,
    'return isOverridden ?',
    'return false ?',
  ),
  one('claims of any depth are copied', VERIFIER, 'if (isTooDeep)', 'if (false)'),
  one(
    'a subclass cannot name the property for a remembered token',
    GUARD,
    "String(options?.['property'] ?? 'user')",
    "'user'",
  ),
];
