import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type Type, UseGuards } from '@nestjs/common';
import * as decorators from '../../../lib/authentication/decorators.js';
import { JwtAuthGuard } from '../../../lib/authentication/jwt-auth.guard.js';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import * as library from '../../../lib/index.js';
import { RecentLogin } from '../../../lib/revocation/recent-login.js';
import { Freshness, WhenStale } from '../../../lib/revocation/staleness/freshness.decorators.js';
import {
  claimsAt,
  FakeRevocation,
  hmacKey,
  mint,
  optionsWith,
  startApp,
  type TestApp,
} from '../../support/authentication-parts.js';

const { AllowExpired, CurrentUser, OptionalAuth, Public } = decorators;

/** The decorators of handlers and classes, as an application writes them. */
const MARKS = {
  Public: Public(),
  OptionalAuth: OptionalAuth(),
  AllowExpired: AllowExpired(),
  RecentLogin: RecentLogin('5m'),
  Freshness: Freshness(2),
  WhenStale: WhenStale({ staleFor: '10m' }),
};
type Mark = keyof typeof MARKS;
const NAMES = Object.keys(MARKS) as Mark[];

/** Two on one handler, or on one class: both have their effect, or the boot stops. */
const STOPPED = new Set([
  'Public OptionalAuth',
  'Public AllowExpired',
  'Public RecentLogin',
  'AllowExpired Freshness',
  'AllowExpired WhenStale',
]);
/** JwtAuthGuard does not read the token. A RevocationGuard behind another authentication obeys the second. */
const FOR_REVOCATION_GUARD = new Set(['Public Freshness', 'Public WhenStale']);

/** One on the class, the other on the handler: that of the handler wins where they contradict each other. */
const HANDLER_WINS = new Set([
  ...NAMES.flatMap((name) => [`Public ${name}`, `${name} Public`]),
  'AllowExpired Freshness',
  'AllowExpired WhenStale',
  'Freshness AllowExpired',
  'WhenStale AllowExpired',
  // docs/failure-policy.md: a policy of the class does not loosen a handler that demands freshness.
  'WhenStale Freshness',
]);

const pairs = NAMES.flatMap((one, i) => NAMES.slice(i + 1).map((other) => [one, other] as const));
const ordered = NAMES.flatMap((one) =>
  NAMES.filter((name) => name !== one).map((other) => [one, other] as const),
);

function controllerOf(path: string, ofClass: readonly Mark[], ofHandler: readonly Mark[]): Type {
  @UseGuards(JwtAuthGuard)
  class Handlers {
    handle(user?: object): object {
      return { isKnown: user !== undefined };
    }
  }
  const handler = Object.getOwnPropertyDescriptor(Handlers.prototype, 'handle')!;
  for (const name of ofHandler) MARKS[name](Handlers.prototype, 'handle', handler);
  for (const name of ofClass) MARKS[name](Handlers);
  Get()(Handlers.prototype, 'handle', handler);
  CurrentUser()(Handlers.prototype, 'handle', 0);
  Controller(path)(Handlers);
  return Handlers;
}

const key = hmacKey('k');
const revocation = new FakeRevocation();
const now = revocation.time;

function start(controllers: Type[]): Promise<TestApp> {
  return startApp('express', optionsWith([key]), revocation, { controllers });
}

/** Which of the decorators have an effect on a route: what each of them changes, seen from outside. */
async function effectsOn(app: TestApp, path: string): Promise<Mark[]> {
  const recently = Math.floor(now / 1000);
  const token = (more: object): string =>
    mint(key, claimsAt(now, { jti: 'good', auth_time: recently, ...more }));
  const ask = async (text?: string): Promise<{ status: number; isKnown?: boolean }> => {
    const answer = await (text === undefined ? app.get(path) : app.bearer(text, path));
    return { ...((await answer.json()) as object), status: answer.status };
  };
  const anonymous = await ask();
  const malformed = await ask('x');
  const revoked = await ask(token({ jti: 'revoked' }));
  const old = await ask(token({ auth_time: recently - 600 }));
  revocation.asked.length = 0;
  await ask(token({}));
  const demand = revocation.asked[0]?.options;
  const effects: Record<Mark, boolean> = {
    Public: malformed.status === 200,
    OptionalAuth: anonymous.status === 200 && malformed.status === 401,
    AllowExpired: revoked.isKnown === true,
    RecentLogin: old.status === 401,
    Freshness: demand?.freshness === 2,
    WhenStale: demand?.whenStale !== undefined,
  };
  return NAMES.filter((name) => effects[name]);
}

describe('two decorators of the library', () => {
  let app: TestApp;
  beforeAll(async () => {
    revocation.revokedIds.add('revoked');
    const together = pairs.filter(([one, other]) => !STOPPED.has(`${one} ${other}`));
    app = await start([
      ...NAMES.map((name) => controllerOf(`alone/${name}`, [], [name])),
      ...together.map((pair) => controllerOf(`handler/${pair.join('/')}`, [], pair)),
      ...together.map((pair) => controllerOf(`class/${pair.join('/')}`, pair, [])),
      ...ordered.map(([one, other]) => controllerOf(`both/${one}/${other}`, [one], [other])),
    ]);
  });
  afterAll(() => app.close());

  it('are in this table: every decorator of a handler or class that the package exports', () => {
    const exported = Object.entries(library as Record<string, unknown>)
      .filter(([, value]) => typeof (value as { KEY?: unknown }).KEY === 'string')
      .map(([name]) => name);
    expect(exported.sort()).toEqual([...NAMES].sort());
  });

  it.each(NAMES)('@%s() alone has its own effect and no other', async (name) => {
    expect(await effectsOn(app, `/alone/${name}`)).toEqual([name]);
  });

  it.each(pairs)('@%s() and @%s() on one handler or class', async (...pair) => {
    if (STOPPED.has(pair.join(' '))) {
      for (const type of [controllerOf('x', [], pair), controllerOf('x', pair, [])]) {
        const starting = start([type]).then((started) => started.close());
        await expect(starting).rejects.toBeInstanceOf(AuthWiringError);
      }
      return;
    }
    const expected = FOR_REVOCATION_GUARD.has(pair.join(' ')) ? [pair[0]] : pair;
    expect(await effectsOn(app, `/handler/${pair.join('/')}`)).toEqual(expected);
    expect(await effectsOn(app, `/class/${pair.join('/')}`)).toEqual(expected);
  });

  it.each(ordered)('@%s() on the class and @%s() on the handler', async (one, other) => {
    const expected = HANDLER_WINS.has(`${one} ${other}`) ? [other] : [one, other];
    const effects = await effectsOn(app, `/both/${one}/${other}`);
    expect(effects).toEqual(NAMES.filter((name) => expected.includes(name)));
  });
});
