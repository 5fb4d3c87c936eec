import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  ImATeapotException,
  Injectable,
  UseGuards,
} from '@nestjs/common';
import { CurrentToken, JwtAuthGuard, RevocationGuard, type TokenClaims } from 'nestjs-logout';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { fetchOnce } from '../support/fetch-once.js';
import { type Instance, startInstance } from '../support/instance.js';
import { claimsOf, requestOf } from '../support/internals.js';

const teapot = (): never => {
  throw new ImATeapotException();
};

/** As the queries of many an ORM are. */
function thenable(user: unknown): object {
  // oxlint-disable-next-line unicorn/no-thenable -- the test needs a thenable that is not a Promise.
  return { then: (resolve: (value: unknown) => void) => resolve(user) };
}

/** What the application's `validate` does with each account; the name is the token's subject. */
const ANSWERS: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  false: () => false,
  throws: teapot,
  'null later': async () => null,
  'undefined later': async () => undefined,
  'false later': async () => false,
  'throws later': async () => teapot(),
  'null of a query that is not a Promise': () => thenable(null),
  'a list of null': () => [null],
  'an empty list': () => [],
  user: () => ({ name: 'alice' }),
  'user later': async () => ({ name: 'alice' }),
  'user of a query that is not a Promise': () => thenable({ name: 'alice' }),
};
const AGREES = ['user', 'user later', 'user of a query that is not a Promise'];
const REFUSES = Object.keys(ANSWERS).filter((name) => !AGREES.includes(name));

/**
 * As applications write it for routes that also serve anonymous users: a refused user is anonymous.
 */
@Injectable()
class LenientGuard extends JwtAuthGuard {
  override handleRequest<TUser>(_error: unknown, user: TUser): TUser {
    return user || (null as TUser);
  }
}

/** A later guard that trusts the claims it finds. */
@Injectable()
class ClaimsGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return claimsOf(requestOf(context)) !== undefined;
  }
}

@Controller()
class LenientController {
  @Get('token')
  @UseGuards(LenientGuard)
  token(@CurrentToken() token: TokenClaims | undefined): object {
    return { sub: token?.sub ?? null };
  }

  @Get('own-guard')
  @UseGuards(LenientGuard, ClaimsGuard)
  ownGuard(): object {
    return {};
  }

  @Get('revocation-guard')
  @UseGuards(LenientGuard, RevocationGuard)
  revocationGuard(): object {
    return {};
  }
}

describe.each(['express', 'fastify'] as const)(
  'verified claims are remembered only after `validate` agreed (%s)',
  (platform) => {
    let database: TestDatabase;
    let instance: Instance;
    let url: string;

    beforeAll(async () => {
      database = await sqlite.migrated();
      instance = await startInstance(database, {
        platform,
        controllers: [LenientController],
        options: { validate: ({ sub }) => ANSWERS[sub]?.() },
      });
      await instance.app.listen(0, '127.0.0.1');
      url = await instance.app.getUrl();
    });

    afterAll(async () => {
      await instance?.close();
      await database?.drop();
    });

    const ask = async (path: string, subject: string): Promise<Response> =>
      fetchOnce(`${url}/${path}`, {
        headers: { authorization: `Bearer ${await instance.login(subject)}` },
      });

    it.each(REFUSES)(
      'a user whom validate refuses by %s gets no claims anywhere',
      async (subject) => {
        expect(await (await ask('token', subject)).json()).toEqual({ sub: null });
        expect((await ask('own-guard', subject)).status).toBe(403);
        // The guard finds no claims, which is a wiring error, and refuses.
        expect((await ask('revocation-guard', subject)).status).toBe(500);
      },
    );

    it.each(AGREES)('a user whom validate accepts by a %s has claims', async (subject) => {
      expect(await (await ask('token', subject)).json()).toEqual({ sub: subject });
      expect((await ask('own-guard', subject)).status).toBe(200);
      expect((await ask('revocation-guard', subject)).status).toBe(200);
    });
  },
);
