import {
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AuthGuard } from '@nestjs/passport';
import { Test } from '@nestjs/testing';
import { createSecretKey, randomUUID } from 'node:crypto';
import type { DataSourceOptions } from 'typeorm';
import { AuthModule } from '../../../lib/auth.module.js';
import { JwtAuthGuard } from '../../../lib/authentication/jwt-auth.guard.js';
import { VerifiedTokens } from '../../../lib/authentication/verified-tokens.js';
import { EventKeys } from '../../../lib/revocation/index/event-key.js';
import { LogConnection } from '../../../lib/revocation/log/log-connection.service.js';
import { RevocationIndex } from '../../../lib/revocation/index/revocation-index.js';
import { SessionService } from '../../../lib/sessions/session.service.js';
import { progress } from '../progress.js';
import { memoryLog } from '../support/memory-log.js';
import type { Peer } from '../peers/peer.js';
import type { Blacklist } from './blacklist.js';
import { Credentials, tokensLike } from './credentials.js';
import { recipe, recipeWithBlacklist } from './recipe.js';

export const SECRET = 'a secret of the benches: 32 bytes or more';
const ISSUER = 'https://issuer.bench';
/** So many tokens are in rotation when they should be found in the memory. */
export const SEEN_TOKENS = 2_048;
/** More than the memory of verified tokens holds: until one comes again, it has been forgotten. */
const STRANGERS = 16_384;
const LIFE = 3_600;

export type Platform = 'express' | 'fastify';

/** One application in which every variant is a route, so that all of them share everything else. */
export interface GuardApp {
  readonly app: INestApplication;
  /** Valid tokens, each of its own login and account, all of which fit into the memory. */
  readonly seen: Credentials;
  /** More valid tokens than the memory holds. */
  readonly unseen: Credentials;
  /** How many requests brought a token that was in the memory. */
  readonly countFound: () => number;
  /** How many of {@link unseen} it takes to fill the memory. */
  readonly memorySize: number;
  /**
   * Logs out this many accounts everywhere, so that from now on each request's subject has to be
   * hashed.
   */
  readonly mark: (count: number) => void;
}

/** The variants that are measured beside our guard. */
export interface GuardSettings {
  /** Where our log is stored; without it there is no log, and the index is still used. */
  readonly log?: DataSourceOptions | undefined;
  readonly blacklists?: readonly Blacklist[];
  readonly peers?: readonly Peer[];
  /** How many unexpired revocations the index holds. */
  readonly revoked: number;
}

/** Starts an application with all routes that are to be compared. */
export async function startGuardApp(
  platform: Platform,
  { log, blacklists = [], peers = [], revoked }: GuardSettings,
): Promise<GuardApp> {
  const builder = Test.createTestingModule({
    imports: [
      ...peers.map(moduleOf),
      AuthModule.forRoot({
        secret: SECRET,
        issuer: ISSUER,
        audience: 'https://audience.bench',
        accessTokenTtl: LIFE,
        migrations: 'run',
        // Never opened where the log is replaced below.
        dataSource: log ?? { type: 'better-sqlite3', database: ':memory:' },
      }),
    ],
    controllers: [
      route('none'),
      route('bare', AuthGuard('jwt')),
      route('again', AuthGuard('jwt')),
      route('ours', JwtAuthGuard),
      route('recipe', AuthGuard('recipe')),
      ...peers.map(({ name, guard }) => route(name, guard)),
      ...blacklists.map(({ name }) => route(name, AuthGuard(name))),
    ],
    providers: [
      recipe('jwt', createSecretKey(Buffer.from(SECRET))),
      recipe('recipe', SECRET),
      ...blacklists.map(({ name, isRevoked }) => recipeWithBlacklist(name, SECRET, isRevoked)),
    ],
  });
  if (log === undefined) builder.overrideProvider(LogConnection).useValue(memoryLog());
  const module = await builder.compile();
  const app =
    platform === 'fastify'
      ? module.createNestApplication(new FastifyAdapter(), { logger: ['error'] })
      : module.createNestApplication({ logger: ['error'] });
  await app.init();

  const add = addTo(app);
  progress(`filling the index with ${revoked.toLocaleString('en-US')} revoked sessions`);
  for (let i = 0; i < revoked; i++) add('session', randomUUID());
  const tokens = await logIn(app.get(SessionService));
  const verified = app.get(VerifiedTokens, { strict: false });
  return {
    app,
    seen: Credentials.ofTokens(tokens),
    unseen: Credentials.ofTokens(tokensLike(tokens[0] ?? '', SECRET, STRANGERS)),
    countFound: () => verified.found,
    memorySize: STRANGERS / 2,
    mark: (count) => {
      for (let i = 0; i < count; i++) add('subject', `a marked account ${i}`);
    },
  };
}

/** A peer's middleware, for its route alone. */
function moduleOf({ name, middleware }: Peer): Type {
  @Module({})
  class PeerModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      if (middleware !== undefined) consumer.apply(middleware).forRoutes(name);
    }
  }
  return PeerModule;
}

function route(path: string, guard?: Type<CanActivate>): Type {
  @Controller(path)
  class RouteController {
    @Get()
    get(): { ok: boolean } {
      return { ok: true };
    }
  }
  if (guard !== undefined) UseGuards(guard)(RouteController);
  return RouteController;
}

/** Events as the feed would bring them; how they came into the log is not measured here. */
function addTo(app: INestApplication): (kind: 'session' | 'subject', id: string) => void {
  const index = app.get(RevocationIndex, { strict: false });
  const keys = app.get(EventKeys, { strict: false });
  const until = Date.now() + LIFE * 1000;
  return (kind, id) => {
    index.add({
      position: 1,
      id: '0'.repeat(32),
      kind,
      key: keys.hex(kind, ISSUER, id),
      killsBelow: kind === 'subject' ? 1 : null,
      except: null,
      accessOnly: false,
      issuedBefore: null,
      until,
      reason: 'logout',
    });
  };
}

async function logIn(sessions: SessionService): Promise<string[]> {
  const tokens: string[] = [];
  for (let i = 0; i < SEEN_TOKENS; i++) {
    const login = await sessions.login(async () => ({
      subject: `user-${i}`,
      claims: { name: `The user number ${i}`, roles: ['reader', 'writer'] },
    }));
    if (login !== null) tokens.push(login.accessToken);
  }
  return tokens;
}
