import { describe, expect, it } from '@jest/globals';
import { problemOfReference } from '../../support/test-references.js';

/** The applications of outsiders that failed with 0.1.0, and the test that holds the right answer now. */
const CASES: readonly [number: string, right: string, test: string][] = [
  [
    '01',
    'a chain of strategies asks the next one about a token that is not ours',
    'security/strategy-chains.spec.ts: a strategy after ours is asked about %s',
  ],
  [
    '03',
    'an application starts while the former one is closing, with the same strategyName',
    'security/jwt-wiring.spec.ts: a strategy of a closing application gives way',
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
    'cluster/storage/followed-source.spec.ts: to a rotated password, once the application',
  ],
  [
    '09',
    'a second copy of @nestjs/common stops the boot',
    'package/applications.checks.ts: a second copy of @nestjs/common stops the boot',
  ],
  [
    '10',
    'a dead connection after a freeze costs one reconnect, not a 503',
    'cluster/feed/s1-own-connection.spec.ts: is one statement late when its socket has died',
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
    '26',
    'a client that sends its idempotency key again stays in after a lost answer',
    'cluster/sessions/lost-answers.spec.ts: gives a retry the same successor days after the grace',
  ],
];

describe('what failed outside has a test', () => {
  it.each(CASES)('case %s: %s', (_number, _right, test) => {
    expect(problemOfReference(test)).toBeUndefined();
  });
});
