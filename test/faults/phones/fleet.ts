import { AuthException } from '../../../lib/errors/auth.exception.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { Random } from '../random.js';
import { Agenda } from './agenda.js';
import { type Answer, Ledger, type Side } from './ledger.js';
import { Phone, type Stored } from './phone.js';
import { Thief } from './thief.js';

/** Longer than a client waits for a lost answer, and shorter than any pause. */
const GRACE = 10_000;
const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

export interface FleetSettings {
  readonly seed: number;
  readonly phones: number;
  /** Simulated time (ms). */
  readonly length: number;
  /** The share of phones whose token is copied. */
  readonly thefts?: number;
  readonly onHour?: (hour: number, report: FleetReport) => void;
}

/** What happened to the fleet. */
export interface FleetReport {
  refreshes: number;
  lostAnswers: number;
  /** Retries later than the grace that were given the successor of the lost answer. */
  lateRetries: number;
  /** Logins in which a thief was issued a token. */
  thefts: number;
  violations: string[];
}

interface Login {
  readonly phone: Phone;
  readonly ledger: Ledger;
  readonly random: Random;
  thief: Thief | undefined;
  /** Whether the phone's current token was sent, and its answer lost. */
  unanswered: boolean;
}

/**
 * Lets a fleet of phones refresh on a bad network, and thieves with copies among them, all from one
 * seed and one simulated clock. Each answer is compared with what it had to be ({@link Ledger}).
 */
export async function runFleet(settings: FleetSettings): Promise<FleetReport> {
  const clock = new TestClock(START);
  const database = {
    url: 'sqlite::memory:',
    options: { type: 'better-sqlite3', database: ':memory:' } as const,
    drop: async () => undefined,
  };
  const instance = await startInstance(database, { clock, options: { refreshGrace: '10s' } });
  try {
    return await new Fleet(instance, clock, settings).run();
  } finally {
    await instance.close();
  }
}

class Fleet {
  private readonly agenda = new Agenda();
  private readonly report: FleetReport = {
    refreshes: 0,
    lostAnswers: 0,
    lateRetries: 0,
    thefts: 0,
    violations: [],
  };
  private readonly end: number;

  constructor(
    private readonly instance: Instance,
    private readonly clock: TestClock,
    private readonly settings: FleetSettings,
  ) {
    this.end = clock.database() + settings.length;
  }

  async run(): Promise<FleetReport> {
    const logins: Login[] = [];
    for (let i = 0; i < this.settings.phones; i++) logins.push(await this.logIn(i));
    this.planPurge(1);
    for (let next = this.agenda.next(); next !== undefined; next = this.agenda.next()) {
      this.clock.advance(Math.max(0, next.at - this.clock.database()));
      await next.act();
    }
    for (const login of logins) await this.settle(login);
    this.report.thefts = logins.filter(({ ledger }) => ledger.isStolen).length;
    this.report.violations = logins.flatMap(({ ledger }) => ledger.violations);
    return this.report;
  }

  private async logIn(number: number): Promise<Login> {
    const { seed, thefts = 0.1 } = this.settings;
    const random = new Random(seed, number);
    const subject = `phone-${number}`;
    const result = await this.instance.sessions.login(() => ({ subject }));
    const phone = new Phone(subject, result?.refreshToken ?? '', random);
    const ledger = new Ledger(`seed ${seed}, ${subject}`, GRACE);
    const login: Login = { phone, ledger, random, thief: undefined, unanswered: false };
    this.plan(phone.pause(true), () => this.wake(login));
    if (random.isLikely(thefts)) {
      this.plan(random.between(0, this.settings.length / 2), async () => this.steal(login));
    }
    return login;
  }

  /** One attempt of a phone, which repeats until its time is over. */
  private async wake(login: Login): Promise<void> {
    const { phone, ledger } = login;
    if (ledger.isOver) return;
    const sent = phone.stored;
    const fate = phone.fate();
    if (login.thief?.habit === 'first') await this.use(login);
    let isAnswered = false;
    if (fate !== 'request lost') {
      const wasUnanswered = login.unanswered;
      const answer = await this.present('phone', login, sent);
      if (fate === 'doubled') await this.present('phone', login, sent);
      isAnswered = fate !== 'answer lost';
      login.unanswered = !isAnswered;
      if (!isAnswered) this.report.lostAnswers++;
      if (isAnswered && 'token' in answer) {
        if (wasUnanswered) this.report.lateRetries++;
        phone.keep(answer.token);
      }
    }
    if (fate === 'delivered again later') {
      this.plan(login.random.between(HOUR, 12 * HOUR), async () => {
        await this.present('phone', login, sent);
      });
    }
    if (login.thief !== undefined && login.thief.habit !== 'first') {
      this.plan(login.thief.delay(GRACE), () => this.use(login));
    }
    this.plan(phone.pause(isAnswered), () => this.wake(login));
  }

  private steal(login: Login): void {
    login.thief = new Thief(login.phone.stored, login.random);
    if (login.thief.habit === 'late') {
      this.plan(login.thief.delay(GRACE), () => this.use(login));
    }
  }

  private async use(login: Login): Promise<void> {
    const { thief } = login;
    if (thief === undefined) return;
    const answer = await this.present('thief', login, thief);
    if ('token' in answer) thief.keep(answer.token);
  }

  /** At the end both sides try once more, each after the grace of the other. */
  private async settle(login: Login): Promise<void> {
    const { phone, ledger, thief } = login;
    for (let turn = 0; turn < 2 && !ledger.isOver; turn++) {
      this.clock.advance(GRACE + 1);
      const answer = await this.present('phone', login, phone.stored);
      if ('token' in answer) phone.keep(answer.token);
      this.clock.advance(GRACE + 1);
      if (thief !== undefined) await this.use(login);
    }
    if (ledger.isStolen && !ledger.isOver) {
      ledger.violations.push(`${phone.subject}: a theft went unnoticed (${thief?.habit})`);
    }
  }

  private async present(
    by: Side,
    { ledger }: Login,
    { token, key }: Pick<Stored, 'token'> & { readonly key: string | undefined },
  ): Promise<Answer> {
    const at = this.clock.database();
    const answer = await this.refresh(token, key);
    this.report.refreshes++;
    ledger.note(by, token, key, at, answer);
    return answer;
  }

  private async refresh(token: string, key: string | undefined): Promise<Answer> {
    try {
      const { refreshToken } = await this.instance.sessions.refresh(token, { idempotencyKey: key });
      return { token: refreshToken ?? '' };
    } catch (error) {
      if (error instanceof AuthException) return { code: error.code };
      throw error;
    }
  }

  private plan(after: number, act: () => Promise<void>): void {
    const at = this.clock.database() + after;
    if (at < this.end) this.agenda.plan(at, act);
  }

  /** The purge runs beside all this, as it does in an application. */
  private planPurge(hour: number): void {
    this.plan(HOUR, async () => {
      await this.instance.purge.purge();
      this.settings.onHour?.(hour, this.report);
      this.planPurge(hour + 1);
    });
  }
}
