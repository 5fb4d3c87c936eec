import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  AccountService,
  AuthEvents,
  AuthModule,
  LogoutService,
  SessionService,
} from 'nestjs-logout';
import { readFileSync } from 'node:fs';
import { DataSource } from 'typeorm';
import { LoginAudit, LoginAuditor } from '../support/audit-example.js';
import { sqlite, type TestDatabase } from '../support/databases.js';

describe('the example of docs/audit.md', () => {
  let database: TestDatabase;
  let app: INestApplication;

  beforeEach(async () => {
    database = await sqlite.migrated();
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...database.options, entities: [LoginAudit], synchronize: true }),
        TypeOrmModule.forFeature([LoginAudit]),
        AuthModule.forRoot({
          secret: 'a secret of the tests: 32 bytes or more',
          issuer: 'https://issuer.test',
          audience: 'https://audience.test',
          migrations: 'run',
        }),
      ],
      providers: [LoginAuditor],
    }).compile();
    app = module.createNestApplication({ logger: false });
    await app.init();
  });

  afterEach(async () => {
    await app?.close();
    await database?.drop();
  });

  it('the example in the test is the one that the page shows', () => {
    const code = readFileSync('test/support/audit-example.ts', 'utf8');
    expect(readFileSync('docs/audit.md', 'utf8')).toContain(`\`\`\`ts\n${code}\`\`\``);
  });

  it('the example writes the events to its table', async () => {
    const login = await app.get(SessionService).login(() => ({ subject: 'alice' }));
    const logout = app.get(LogoutService);
    await logout.logout(login?.accessToken ?? '', { actor: 'support', requestId: 'request-1' });
    await app.get(AccountService).lock('alice', '1h', { actor: 'admin' });
    const refused = app.get(SessionService).login(() => ({ subject: 'alice' }));
    await expect(refused).rejects.toMatchObject({ code: 'account_locked' });
    await app.get(SessionService).login(() => null);
    await app.get(LoginAuditor).beforeApplicationShutdown();

    const rows = await app
      .get(DataSource)
      .getRepository(LoginAudit)
      .find({ order: { at: 'ASC' } });
    const subject = app.get(AuthEvents).subjectHash('alice');
    expect(rows.map(({ type, reason }) => [type, reason]).toSorted()).toEqual([
      ['account_locked', 'account_locked'],
      ['login', null],
      ['login_refused', 'account_locked'],
      ['login_refused', 'credentials_invalid'],
      ['logout', 'logout'],
    ]);
    const byType = Object.fromEntries(
      rows.filter((row) => row.reason !== 'credentials_invalid').map((row) => [row.type, row]),
    );
    expect(byType['login']).toMatchObject({ subject });
    expect(byType['logout']).toMatchObject({
      session: byType['login']?.session,
      reason: 'logout',
      scope: 'session',
      actor: 'support',
      requestId: 'request-1',
    });
    expect(byType['account_locked']).toMatchObject({ subject, actor: 'admin' });
    expect(byType['login_refused']).toMatchObject({ subject, reason: 'account_locked' });
    expect(JSON.stringify(rows)).not.toContain('alice');
  });
});
