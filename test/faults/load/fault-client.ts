import { setTimeout } from 'node:timers/promises';
import type { FaultCluster, Member } from '../cluster/fault-cluster.js';
import type { Completion, HistoryRecorder } from '../history/history-recorder.js';
import type { Operation, OperationKind } from '../history/operation.js';
import type { Random } from '../random.js';
import { DEMO_PASSWORD } from '../../support/quickstart-client.js';
import { mintToken } from '../../support/mint-token.js';
import { completionOf } from './caller.js';
import { type EndCall, INSTANCES, type Scenario, type TimedCall } from './scenario.js';

/** A login as its client holds it. */
export interface HeldSession {
  readonly session: string;
  readonly subject: string;
  accessToken: string;
  refreshToken: string | undefined;
  readonly login: Operation;
}

/** A login that was ended for sure, to be checked long after. */
export interface Grave extends HeldSession {
  readonly end: Operation;
}

interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** Runs a scenario and records the results. */
export class FaultClient {
  constructor(
    private readonly cluster: FaultCluster,
    private readonly history: HistoryRecorder,
    private readonly random: Random,
  ) {}

  /** Returns the login that it has ended, if that is certain. */
  async play(scenario: Scenario): Promise<Grave | undefined> {
    const subject = scenario.account === 'minted' ? `m-${this.random.uuid()}` : scenario.account;
    const logins = await Promise.all(
      scenario.logins.map((on) =>
        scenario.account === 'minted' ? this.mint(subject, on) : this.loginSomewhere(subject, on),
      ),
    );
    await Promise.all(scenario.before.map((call) => this.timed(logins, call)));
    for (const { session, on } of scenario.refreshes) {
      const held = logins[session];
      if (held !== undefined) await Promise.all(on.map((each) => this.refresh(held, each)));
    }
    const { end, again } = scenario;
    const held = logins[end.session];
    if (held === undefined) return undefined;
    let ended = await this.end(held, end);
    for (const on of again) {
      if (ended.outcome !== 'unknown') break;
      ended = await this.end(held, { ...end, on });
    }
    await Promise.all(scenario.after.map((call) => this.timed(logins, call)));
    const isOver = ended.outcome === 'ok' && end.kind !== 'logoutOthers';
    return isOver ? { ...held, end: ended } : undefined;
  }

  /** Whether this token is accepted there. */
  look(held: HeldSession, on: number): Promise<Operation> {
    return this.ask('me', held, on, (member) =>
      member.caller
        .send('GET', '/me', held.accessToken)
        .then((answer) => completionOf(answer, 200)),
    );
  }

  private async timed(
    logins: readonly (HeldSession | undefined)[],
    { kind, after, session, on }: TimedCall,
  ): Promise<void> {
    const held = logins[session];
    if (held === undefined) return;
    if (after > 0) await setTimeout(after);
    if (kind === 'me') await this.look(held, on);
    else await this.refresh(held, on);
  }

  /** Signed by the test: a login that was complete when it started. */
  private async mint(subject: string, on: number): Promise<HeldSession> {
    const session = this.random.uuid();
    const accessToken = mintToken({ sub: subject, sid: session, exp: endOfLife() });
    const login = await this.history.record(
      { kind: 'login', incarnation: this.member(on).incarnation, subject, session },
      async () => ({ outcome: 'ok' }),
    );
    return { session, subject, accessToken, refreshToken: undefined, login };
  }

  /** As a load balancer does: if one instance does not answer well, the next one is asked. */
  private async loginSomewhere(subject: string, on: number): Promise<HeldSession | undefined> {
    for (let other = 0; other < INSTANCES; other++) {
      const held = await this.login(subject, (on + other) % INSTANCES);
      if (held !== undefined) return held;
    }
    return undefined;
  }

  private async login(subject: string, on: number): Promise<HeldSession | undefined> {
    const member = this.member(on);
    let pair: Pair | undefined;
    const login = await this.history.record(
      { kind: 'login', incarnation: member.incarnation, subject, session: '' },
      async () => {
        const body = { username: subject, password: DEMO_PASSWORD };
        const answer = await member.caller.send('POST', '/auth/login', undefined, body);
        if (answer.status !== 200) return completionOf(answer, 200);
        pair = answer.body as unknown as Pair;
        return { outcome: 'ok', session: pair.session_id };
      },
    );
    if (pair === undefined) return undefined;
    const { session_id: session, access_token: accessToken, refresh_token: refreshToken } = pair;
    return { session, subject, accessToken, refreshToken, login };
  }

  private async refresh(held: HeldSession, on: number): Promise<void> {
    const { refreshToken: presented, session, subject } = held;
    if (presented === undefined) return;
    const member = this.member(on);
    await this.history.record(
      { kind: 'refresh', incarnation: member.incarnation, subject, session, presented },
      async () => {
        const body = { refresh_token: presented };
        const answer = await member.caller.send('POST', '/auth/refresh', undefined, body);
        if (answer.status !== 200) return completionOf(answer, 200);
        const { access_token, refresh_token: successor } = answer.body as unknown as Pair;
        held.accessToken = access_token;
        held.refreshToken = successor;
        return { outcome: 'ok', successor };
      },
    );
  }

  private end(held: HeldSession, { kind, on }: EndCall): Promise<Operation> {
    const paths = { logoutOthers: '/auth/logout-others', logoutAll: '/auth/logout-all' } as const;
    const isByRefreshToken = kind === 'logoutByRefreshToken' && held.refreshToken !== undefined;
    const isOne = kind === 'logout' || kind === 'logoutByRefreshToken';
    return this.ask(isOne ? 'logout' : kind, held, on, async ({ caller }) => {
      const answer = isByRefreshToken
        ? await caller.send('POST', '/auth/logout', undefined, { refresh_token: held.refreshToken })
        : await caller.send('POST', isOne ? '/auth/logout' : paths[kind], held.accessToken);
      return completionOf(answer, 204);
    });
  }

  private ask(
    kind: OperationKind,
    { session, subject }: HeldSession,
    on: number,
    call: (member: Member) => Promise<Completion>,
  ): Promise<Operation> {
    const member = this.member(on);
    const { incarnation } = member;
    return this.history.record({ kind, incarnation, subject, session }, () => call(member));
  }

  private member(on: number): Member {
    return this.cluster.members[on] as Member;
  }
}

/** Below the longest lifetime that the instances allow. */
function endOfLife(): number {
  return Math.floor(Date.now() / 1000) + 3_500;
}
