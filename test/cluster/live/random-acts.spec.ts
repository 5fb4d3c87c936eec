import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AccountService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AuthMeter } from '../../support/internals.js';
import { rounds } from '../../support/rounds.js';
import { type Connection, KINDS, type Kind, LiveServer, RENEWING } from './live-server.js';

const KIDS = ['first', 'second', 'third'];
const keys = KIDS.map((kid) => ({ kid, alg: 'HS256' as const, secret: randomBytes(32) }));

interface Open {
  readonly kind: Kind;
  readonly connection: Connection;
  token: string;
}

describe('open connections on one instance, and random acts on another', () => {
  let database: TestDatabase;
  let there: Instance;
  let server: LiveServer;
  let here: Instance;

  beforeAll(async () => {
    database = await sqlite.migrated();
    there = await startInstance(database, { clock: new TestClock(), keys });
    server = await LiveServer.start(database, { clock: new TestClock(), keys });
    here = server.instance;
  });

  afterAll(async () => {
    await server?.close();
    await there?.close();
    await database?.drop();
  });

  const watched = (): number => here.app.get(AuthMeter).watched;
  /** What a push or the next poll does; the lease of a TestClock never lapses. */
  const heard = (): Promise<boolean> => here.feed.strictProof();

  // 10,000 acts in parts: each has the time of a test.
  const parts = Array.from({ length: rounds(1, 10) }, (_, part) => part + 1);
  const acts = rounds(150, 1_000);
  let keysLeft = KIDS.length - 1;

  it.each(parts)(
    'random acts end exactly the connections that the guard refuses (%i)',
    async () => {
      const accounts = there.app.get(AccountService);
      let open: Open[] = [];
      const subjects = ['u1', 'u2', 'u3', 'u4', 'u5'];
      const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T;
      const login = async (subject: string): Promise<string> => {
        const token = await there.login(subject);
        await heard();
        return token;
      };
      /** The client closes it: from then on nothing is expected of it. */
      const leave = (one: Open): void => {
        open = open.filter((each) => each !== one);
        one.connection.close();
      };
      const connect = async (): Promise<void> => {
        if (open.length > 12) leave(any(open));
        const subject = any(subjects);
        const of = open.filter(({ token }) => subjectOf(token) === subject);
        const token = of.length > 0 && Math.random() < 0.3 ? any(of).token : await login(subject);
        const kind = any(KINDS);
        open.push({ kind, token, connection: await server.connect(kind, token) });
      };
      const act = async (): Promise<void> => {
        const one = any(open);
        const [subject, chance] = [subjectOf(one.token), Math.random()];
        if (chance < 0.3) await there.logout.logout(one.token);
        else if (chance < 0.4) await there.logout.logoutOthers(one.token);
        else if (chance < 0.5) await there.logout.logoutAll(subject);
        else if (chance < 0.6) await accounts.claimsChanged(subject);
        else if (chance < 0.7) {
          const { sid } = await there.tokens.verify(one.token);
          await accounts.passwordChanged(subject, { keepSession: sid });
        } else if (chance < 0.75) {
          await accounts.disable(subject);
          await accounts.enable(subject);
        } else if (chance < 0.8) {
          await accounts.lock(subject, 60);
          await accounts.unlock(subject);
        } else if (chance < 0.95) {
          if (!RENEWING.includes(one.kind)) return;
          const token = await login(subject);
          expect(await one.connection.renew(token)).toBe('renewed');
          one.token = token;
        } else if (chance < 0.99) await there.logout.revokeEveryone();
        else if (keysLeft > 0)
          await there.logout.revokeKey(KIDS[KIDS.length - 1 - keysLeft--] as string);
      };
      for (let i = 0; i < acts; i++) {
        if (open.length < 3 || Math.random() < 0.5) await connect();
        else await act();
        await heard();
        for (const each of open) {
          const isGood = (await here.judge(each.token)) === 'active';
          if (!isGood) await eventually(() => !each.connection.isOpen);
          else expect(seen(each)).toEqual({ kind: each.kind, isOpen: true, why: undefined });
        }
        open = open.filter(({ connection }) => connection.isOpen);
      }
      // A late close would show now.
      await setImmediate();
      expect(open.filter(({ connection }) => !connection.isOpen)).toEqual([]);
      for (const { connection } of open) connection.close();
      await eventually(() => watched() === 0);
    },
  );
});

/** For the message of a failure: also what the client received. */
function seen({ kind, connection: { isOpen, why } }: Open): object {
  return { kind, isOpen, why };
}

function subjectOf(token: string): string {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return (JSON.parse(payload) as { sub: string }).sub;
}
