import { describe, expect, it } from '@jest/globals';
import { problemOfReference } from '../../support/test-references.js';

/**
 * The applications of users that failed with 0.1.0, and the test that checks the right answer now.
 */
const CASES: readonly [number: string, right: string, test: string][] = [
  [
    '01',
    'a chain of strategies asks the next one about a token that is not ours',
    'security/strategy-chains.spec.ts: a strategy after ours is asked about %s',
  ],
  [
    '02',
    'an empty body is none on a bare FastifyAdapter too, whatever its content type',
    'e2e/http-empty-bodies.spec.ts: an empty body of any type is treated as no body',
  ],
  [
    '03',
    'an application starts while the former one is closing, with the same strategyName',
    'security/jwt-wiring.spec.ts: a strategy of a closing application makes room',
  ],
  [
    '04',
    'claims that find no user refuse the refresh and end the session',
    'cluster/sessions/nobody.spec.ts: A16: claims that find no account',
  ],
  [
    '05',
    'a request-scoped or durable provider behind useFactory stops the boot, named',
    'e2e/application-classes.spec.ts: stops the boot, and the error names it',
  ],
  [
    '06',
    "the log's connections follow the application's DataSource",
    'cluster/storage/followed-source.spec.ts: the log follows a rotated password once the application has',
  ],
  [
    '09',
    'a second copy of @nestjs/common stops the boot',
    'package/applications.checks.ts: a second copy of @nestjs/common stops the boot',
  ],
  [
    '10',
    'a dead connection after a freeze costs one reconnect, not a 503',
    'cluster/feed/s1-own-connection.spec.ts: a poll whose socket has died is sent again on a new connection',
  ],
  [
    '12',
    'a login that is not remembered has cookies without an age, after a refresh too',
    'e2e/http-cookie-lives.spec.ts: a login that is not remembered has cookies without an age',
  ],
  [
    '16',
    'origins with custom schemes may act, wildcards stop the boot',
    'e2e/http-cookie-lives.spec.ts: origins that may send requests with cookies',
  ],
  [
    '16',
    'an own page is known behind two proxies on both platforms',
    'e2e/http-csrf.spec.ts: an own page is recognised by the host that its browser sent',
  ],
  [
    '15',
    'the code of a refusal arrives in a hybrid application without inheritAppConfig',
    'transports/refusals.spec.ts: a hybrid application forwards refusals of a service',
  ],
  [
    '17',
    'a table of another program stops the boot and stays as it is',
    'cluster/storage/table-names.spec.ts: table names of another program stop the boot',
  ],
  [
    '18',
    'a secret given at a call of JwtService wins: a token of one purpose serves no other',
    'security/jwt-service.spec.ts: keeps two purposes apart that have a secret each (cases/18)',
  ],
  [
    '21',
    'a request without headers is an error that says what context has to return',
    'e2e/request-without-headers.spec.ts: names what context has to return for graphql-ws',
  ],
  [
    '25',
    'two applications on one host keep their cookies apart',
    'e2e/http-cookie-lives.spec.ts: a cookie name of the application is used for both cookies',
  ],
  [
    '26',
    'a client that sends its idempotency key again stays in after a lost answer',
    'cluster/sessions/lost-answers.spec.ts: a retry with the key gets the same successor days after the grace',
  ],
];

describe('each case that failed outside has a test', () => {
  it.each(CASES)('case %s: %s', (_number, _right, test) => {
    expect(problemOfReference(test)).toBeUndefined();
  });
});
