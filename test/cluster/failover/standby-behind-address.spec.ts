import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOnServer } from '../../support/describe-on-server.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { PostgresPair } from '../../support/postgres-pair.js';
import { clockOf, followAgain } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';

describeOnServer('an address that led to a standby for a moment', () => {
  let pair: PostgresPair;
  let here: Instance;

  beforeEach(async () => {
    pair = await PostgresPair.start();
    here = await startInstance(pair.database, { clock: new TestClock() });
  });

  afterEach(async () => {
    await here?.close();
    await pair?.remove();
  });

  it('a logout that reaches a standby is sent again and succeeds', async () => {
    const [one, two] = [await here.login('alice'), await here.login('alice')];
    await pair.replicated();
    const { database } = await here.open();
    const { connections } = pair.network;
    // Like a load balancer that errs: connections that there are stay where they lead.
    pair.network.lead(pair.other.port);
    const busy = [1, 2].map(() => database.read({ sql: 'SELECT pg_sleep(1)', values: [] }));
    const ending = here.logout.logout(one);
    await eventually(() => pair.network.connections > connections);
    pair.network.lead(pair.one.port);

    await Promise.all([...busy, ending]);
    await here.logout.logout(two);
    expect(await here.judge(one)).toBe('session_ended');
    expect(await here.judge(two)).toBe('session_ended');
  });

  it('E7: a standby behind the address proves nothing, and is left as soon as the address leads elsewhere', async () => {
    const token = await here.login('alice');
    await pair.replicated();
    pair.network.redirect('127.0.0.1', pair.other.port);
    expect(await here.feed.strictProof()).toBe(false);
    await eventually(() => {
      clockOf(here).advance(200); // the backoff decides when it asks again
      return String(here.feed.failure).includes('A standby answered');
    });
    expect(await here.tokens.verify(token, { freshness: 'strict' }).catch(codeOf)).toBe(
      'revocation_state_unknown',
    );
    // No connection to it is kept, so nothing has to cut it off.
    pair.network.lead(pair.one.port);
    await followAgain(here);
    expect(await here.judge(token)).toBe('active');
  });
});

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
