import { checkHistory } from '../history/check-history.js';
import { HistoryRecorder } from '../history/history-recorder.js';
import type { Operation } from '../history/operation.js';
import { describeViolation, type Violation } from '../history/violation.js';

/** The bound of every simulated cluster (ms). */
export const BOUND = 5_000;

/** The lease that a proof gives, as in our own feed. */
const LEASE = 0.98 * BOUND;

/** What one poll found; `isFresh` is what the feed treats as a proof. */
export interface PollAnswer {
  readonly ended: readonly string[];
  readonly isFresh: boolean;
}

/** Time that passes only when a test says so, for the observer and all instances. */
export class ObservedTime {
  now = 0;

  pass(milliseconds: number): void {
    this.now += milliseconds;
  }
}

/** An instance that does everything right except for the feed that it is given. */
export class SimulatedInstance {
  readonly incarnation: number;
  private readonly known = new Set<string>();
  private proof = -Infinity;

  constructor(
    name: string,
    private readonly cluster: SimulatedCluster,
    private readonly ask: () => Promise<PollAnswer>,
  ) {
    this.incarnation = cluster.history.start(name);
  }

  /** F4 and F1: dated before it is sent; merged, never replaced. */
  async poll(): Promise<void> {
    const sent = this.cluster.time.now;
    const { ended, isFresh } = await this.ask();
    for (const session of ended) this.known.add(session);
    if (isFresh) this.proof = sent;
  }

  /** A push notification with the end of a session. */
  hear(session: string): void {
    this.known.add(session);
  }

  /** A guarded request. */
  me(session: string): Promise<Operation> {
    return this.cluster.record('me', this, session, async () => {
      if (this.known.has(session)) return { outcome: 'fail', code: 'session_ended' };
      const isFresh = this.cluster.time.now - this.proof <= LEASE;
      return isFresh ? { outcome: 'ok' } : { outcome: 'fail', code: 'revocation_state_unknown' };
    });
  }

  /** What an operator sees when nothing disturbs it any more: it polls, and is fresh. */
  settle(): Promise<Operation> {
    return this.cluster.record('settle', this, '', async () => {
      for (let polls = 0; polls < 10; polls++) {
        await this.poll();
        if (this.cluster.time.now - this.proof <= LEASE) return { outcome: 'ok' };
        this.cluster.time.pass(BOUND / 4);
      }
      return { outcome: 'fail', code: 'revocation_state_unknown' };
    });
  }
}

/** Instances on one log, and the history that their observer records. */
export class SimulatedCluster {
  readonly time = new ObservedTime();
  readonly history = new HistoryRecorder(() => this.time.now);

  /** The instance that logs out; its own feed does not matter. */
  readonly writer = this.instance('A', async () => ({ ended: [], isFresh: true }));

  instance(name: string, ask: () => Promise<PollAnswer>): SimulatedInstance {
    return new SimulatedInstance(name, this, ask);
  }

  /** A login, long enough ago. */
  async login(...sessions: readonly string[]): Promise<void> {
    for (const session of sessions) {
      await this.record('login', this.writer, session, async () => ({ outcome: 'ok' }));
      this.time.pass(1);
    }
  }

  /** A logout by the writer that is answered when `write` resolves, a millisecond later. */
  logout(session: string, write: () => Promise<unknown>): Promise<Operation> {
    return this.record('logout', this.writer, session, async () => {
      await write();
      this.time.pass(1);
      return { outcome: 'ok' };
    });
  }

  record(
    kind: Operation['kind'],
    { incarnation }: SimulatedInstance,
    session: string,
    call: Parameters<HistoryRecorder['record']>[1],
  ): Promise<Operation> {
    return this.history.record({ kind, incarnation, subject: 'alice', session }, call);
  }

  /** The verdict of the checker, and the excerpt that shows it. */
  verdict(): { readonly violations: readonly Violation[]; readonly text: string } {
    const violations = checkHistory(this.history, { bound: BOUND, refreshGrace: 0 });
    const texts = violations.map((violation) => describeViolation(violation, this.history));
    return { violations, text: texts.join('\n') };
  }
}
