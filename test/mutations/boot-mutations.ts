import type { Mutation } from './mutation.js';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

const CHECK = 'auth-core.module';
const CLASSES = 'e2e/application-classes';

/** What the boot refuses, and how options name classes of the application (issue 9, A). */
export const BOOT_MUTATIONS: readonly Mutation[] = [
  one(
    'a class is looked up before it is created',
    'options/resolved-auth-options',
    'return Object.freeze({ ...others, loadKeys, observeUntil, maxTokenLife });',
    'others.validate?.find(); return Object.freeze({ ...others, loadKeys, observeUntil, maxTokenLife });',
    CLASSES,
  ),
  one(
    'two applications share what one of them looked up',
    'options/application-method',
    'return new ApplicationMethod(this.option, this.method, this.given, modules);',
    'this.modules ??= modules; return this;',
    CLASSES,
  ),
  one('a cycle of the options is not noticed', CHECK, 'throw cycle(path);', 'continue;', CLASSES),
  one(
    'request-scoped options are not noticed',
    CHECK,
    'wrapper.scope === Scope.REQUEST',
    'false',
    CLASSES,
  ),
  one(
    'login is mounted without verifyCredentials',
    'auth.module',
    'verifyCredentials === undefined ? [] : [LoginRoutes]',
    '[LoginRoutes]',
    'e2e/http-options',
  ),
  one(
    'a request without headers has no token',
    'authentication/token-source',
    'assertHeaders(request);',
    'request = { headers: {}, ...request };',
    'e2e/request-without-headers',
  ),
  one(
    'overrideAuth takes a function for the user',
    'testing/test-user',
    "typeof test === 'function' ? test(request) : test",
    'test',
    'e2e/testing-helpers',
  ),
  one(
    'overrideAuth leaves the decision to a missing log',
    'testing/override-auth',
    '.useValue({ decide: NOTHING_REVOKED.decide })',
    '.useClass(RevocationDecider)',
    'e2e/testing-helpers',
  ),
  one(
    'overrideAuth supplies nothing without AuthModule',
    'testing/override-auth',
    'supplied.get(token)?.()',
    'undefined',
    'e2e/testing-helpers',
  ),
  one(
    'a first instance reports its jump as a warning',
    'revocation/log/log-history',
    "why === UNKNOWN_AT_START ? 'debug' : 'warn'",
    "'warn'",
    'storage/quiet-boot',
  ),
  one(
    'the self-test signs a token of a reported type',
    'authentication/self-test',
    "typ: 'at+jwt'",
    "typ: 'JWT'",
    'storage/quiet-boot',
  ),
  one(
    'the self-test verifies nothing',
    'authentication/self-test',
    'await this.tokens.verify(this.sign(key), { allowExpired: true });',
    '',
    'unit/authentication/self-test',
  ),
  one(
    'a strategy of a closing application keeps its name',
    'authentication/jwt.strategy',
    'this[CLOSING] = true;',
    '',
    'security/jwt-wiring',
  ),
  one(
    'a second copy of Nest is not noticed',
    'platform/auth-exception.filter',
    'this.isKnown = false;',
    '',
    'security/jwt-wiring',
  ),
  one(
    'a boot forgets a refusal when a later attempt gets no answer',
    'revocation/revocation.lifecycle',
    'return isFatal ? failure : this.connection.refusal;',
    'return isFatal ? failure : undefined;',
    'cluster/storage/refused-connection',
  ),
];
