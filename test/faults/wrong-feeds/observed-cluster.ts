import { AuthException } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { claimsIn, follow } from '../../support/log-tables.js';
import type { TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { checkHistory } from '../history/check-history.js';
import { type Completion, HistoryRecorder } from '../history/history-recorder.js';
import type { Operation } from '../history/operation.js';
import { describeViolation, type Violation } from '../history/violation.js';
import { ObservedTime } from './simulated-cluster.js';

/** A clock without timers: an instance polls when its test says so, and at no other time. */
class StillClock extends TestClock {
  override schedule(): () => void {
    return () => undefined;
  }
}

/** One instance of the real library, as an observer sees it. */
export interface ObservedInstance {
  readonly name: string;
  readonly incarnation: number;
  readonly real: Instance;
  readonly clock: TestClock;
  /** Its way to the database. */
  readonly proxy: TcpProxy;
}

/** A login of the real library. */
export interface ObservedLogin {
  readonly token: string;
  readonly session: string;
  readonly subject: string;
}

/** Instances of the real library on one real database, and the history of what they answer. */
export class ObservedCluster {
  readonly time = new ObservedTime();
  readonly history = new HistoryRecorder(() => this.time.now);
  private readonly instances: ObservedInstance[] = [];

  constructor(private readonly database: TestDatabase) {}

  /** Starts one that stays where its test put it: 503 at once instead of waiting. */
  async start(): Promise<ObservedInstance> {
    const name = 'ABCD'.charAt(this.instances.length);
    this.pass(1);
    const incarnation = this.history.start(name);
    const { proxy, through } = await TcpProxy.before(this.database);
    const clock = new StillClock();
    clock.advance(this.time.now);
    const real = await startInstance(through, { clock, options: { staleWait: 0 } });
    const instance = { name, incarnation, real, clock, proxy };
    this.instances.push(instance);
    return instance;
  }

  /** Time passes for the observer and on every host alike. */
  pass(milliseconds: number): void {
    this.time.pass(milliseconds);
    for (const { clock } of this.instances) clock.advance(milliseconds);
  }

  /** Has an instance poll now. */
  follow({ real }: ObservedInstance): Promise<void> {
    return follow(real);
  }

  async login(on: ObservedInstance, subject = 'alice'): Promise<ObservedLogin> {
    let token = '';
    const login = await this.record(on, 'login', { subject, session: '' }, async () => {
      token = await on.real.login(subject);
      return { outcome: 'ok', session: claimsIn(token).sid };
    });
    return { token, session: login.session, subject };
  }

  /** A guarded request. */
  me(on: ObservedInstance, login: ObservedLogin): Promise<Operation> {
    return this.record(on, 'me', login, async () => {
      const verdict = await on.real.judge(login.token);
      return verdict === 'active' ? { outcome: 'ok' } : { outcome: 'fail', code: verdict };
    });
  }

  /** A logout as `call` makes it, by default of this login alone. */
  end(
    on: ObservedInstance,
    login: ObservedLogin,
    kind: 'logout' | 'logoutOthers' | 'logoutAll' = 'logout',
    call: () => Promise<unknown> = () =>
      kind === 'logoutAll'
        ? on.real.logout.logoutAll(login.subject)
        : on.real.logout[kind](login.token),
  ): Promise<Operation> {
    return this.record(on, kind, login, async () => {
      try {
        await call();
        return { outcome: 'ok' };
      } catch (error) {
        if (!(error instanceof AuthException)) throw error;
        const outcome = error.getStatus() === 503 ? 'unknown' : 'fail';
        return { outcome, code: error.code };
      }
    });
  }

  /** The verdict of the checker, and the excerpt that shows it. */
  verdict(): { readonly violations: readonly Violation[]; readonly text: string } {
    const violations = checkHistory(this.history, { bound: 5_000, refreshGrace: 0 });
    const texts = violations.map((violation) => describeViolation(violation, this.history));
    return { violations, text: texts.join('\n') };
  }

  async close(): Promise<void> {
    for (const { proxy } of this.instances) proxy.admit();
    for (const { real } of this.instances) await real.close();
    for (const { proxy } of this.instances) await proxy.close();
  }

  private record(
    { incarnation }: ObservedInstance,
    kind: Operation['kind'],
    { subject, session }: Pick<ObservedLogin, 'subject' | 'session'>,
    call: () => Promise<Completion>,
  ): Promise<Operation> {
    // Nothing happens at the same moment as something else.
    this.pass(1);
    return this.history.record({ kind, incarnation, subject, session }, async () => {
      const completion = await call();
      this.pass(1);
      return completion;
    });
  }
}
