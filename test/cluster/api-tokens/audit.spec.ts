import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AccountService, ApiTokenService, type AuthEvent, AuthEvents } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf } from '../../support/session-acts.js';

describe('AuthEvents of API tokens', () => {
  let database: TestDatabase;
  let here: Instance;
  let tokens: ApiTokenService;
  let events: AuthEvent[];

  beforeEach(async () => {
    database = await sqlite.migrated();
    here = await startInstance(database, {
      clock: new TestClock(),
      options: { apiTokens: { limit: 2 } },
    });
    tokens = here.app.get(ApiTokenService);
    events = [];
    here.app.get(AuthEvents).subscribe((event) => events.push(event));
  });

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  it('AuthEvents report who issued and who revoked an API token of which account, without the token or its id', async () => {
    const { token, info } = await tokens.issue('alice', {
      name: 'the name of it',
      actor: 'admin',
      requestId: 'request-1',
    });
    const other = await tokens.issue('alice', { name: 'other' });
    await tokens.revoke(token, { reason: 'administrator', actor: 'admin', requestId: 'request-2' });
    await tokens.revoke(other.info.id, { subject: 'alice' });
    const subject = here.app.get(AuthEvents).subjectHash('alice');
    const about = { at: expect.any(Date), scope: 'token', subject, session: undefined };
    const by = { actor: 'admin', requestId: 'request-1' };
    expect(events).toEqual([
      { ...about, type: 'api_token_issued', ...by },
      { ...about, type: 'api_token_issued' },
      {
        ...about,
        type: 'api_token_revoked',
        reason: 'administrator',
        ...by,
        requestId: 'request-2',
      },
      { ...about, type: 'api_token_revoked', reason: 'logout' },
    ]);
    const told = JSON.stringify(events);
    for (const secret of [token, token.slice(5, 20), info.id, info.name, 'alice']) {
      expect(told).not.toContain(secret);
    }
  });

  it('AuthEvents report a repeated revocation once, and no token whose issue failed', async () => {
    const { info } = await tokens.issue('alice', { name: 'backup' });
    await tokens.revoke(info.id);
    await tokens.revoke(info.id);
    await tokens.issue('alice', { name: 'second' });
    await tokens.issue('alice', { name: 'third' });
    expect(await codeOf(tokens.issue('alice', { name: 'fourth' }))).toBe('too_many_api_tokens');
    await here.app.get(AccountService).lock('bob', '1h');
    expect(await codeOf(tokens.issue('bob', { name: 'locked' }))).toBe('account_locked');
    expect(events.map(({ type }) => type)).toEqual([
      'api_token_issued',
      'api_token_revoked',
      'api_token_issued',
      'api_token_issued',
      'account_locked',
    ]);
  });
});
