import { expect, it } from '@jest/globals';
import { Controller, Get, type LoggerService, UseGuards } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule, JwtAuthGuard, LogoutService, SessionService } from 'nestjs-logout';
import { databaseKinds, describeOn } from '../../support/databases.js';

/** Keeps log lines: the level, the context and the message. */
class Lines implements LoggerService {
  readonly all: string[] = [];
  readonly log = this.keep('log');
  readonly warn = this.keep('warn');
  readonly error = this.keep('error');
  readonly fatal = this.keep('fatal');
  readonly verbose = this.keep('verbose');
  readonly debug = this.keep('debug');

  private keep(level: string) {
    return (message: unknown, ...rest: unknown[]): void => {
      this.all.push(`${level} [${String(rest.at(-1))}] ${String(message)}`);
    };
  }
}

@Controller()
class MeController {
  @UseGuards(JwtAuthGuard)
  @Get('me')
  me(): string {
    return 'me';
  }
}

/** At debug only, and only where no other instance followed the log meanwhile. */
const OF_A_FIRST_INSTANCE = /^debug \[RevocationLog\] The revocation log continues at position/;

/** Nest's own: modules, routes, and that the application has started. */
const OF_NEST =
  /^log \[(?:InstanceLoader|RoutesResolver|RouterExplorer|NestApplication|TypeOrmModule)\]/;

describeOn(databaseKinds, 'a successful boot', (kind) => {
  it('a successful boot prints nothing, neither the first time nor on existing tables', async () => {
    const database = await kind.create();
    const lines = new Lines();
    try {
      for (const _ of [1, 2]) {
        const module = await Test.createTestingModule({
          imports: [
            TypeOrmModule.forRoot(database.options),
            AuthModule.forRoot({
              secret: 'a secret of the tests: 32 bytes or more',
              issuer: 'a',
              audience: 'b',
              migrations: 'run',
              maxStaleness: 1,
            }),
          ],
          controllers: [MeController],
        })
          .setLogger(lines)
          .compile();
        const app = module.createNestApplication({ logger: lines });
        await app.listen(0, '127.0.0.1');
        const login = await app.get(SessionService).login(() => ({ subject: 'alice' }));
        const headers = { authorization: `Bearer ${login?.accessToken}` };
        const me = `${await app.getUrl()}/me`;
        expect((await fetch(me, { headers })).status).toBe(200);
        await app.get(LogoutService).logoutAll('alice');
        expect((await fetch(me, { headers })).status).toBe(401);
        await app.close();
      }
    } finally {
      await database.drop();
    }
    const ours = lines.all.filter((line) => !OF_NEST.test(line));
    expect(ours.filter((line) => !OF_A_FIRST_INSTANCE.test(line))).toEqual([]);
  });
});
