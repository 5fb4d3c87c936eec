import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { now, pause } from './clock.js';
import type { DatabaseLine } from './database-line.js';
import type { KeeperProcess } from './keeper-process.js';
import { type Health, QuickstartClient } from './quickstart-client.js';
import { type Decision, decisionOf, type Reading } from './reading.js';

const MAIN = fileURLToPath(new URL('../01-quickstart/main.js', import.meta.url));
const READY = /nestjs-logout quick-start: (http:\S+)/;
/** Between two looks at an instance's health (ms). */
const LOOK_EVERY = 200;

export type InstanceState = 'starting' | 'running' | 'paused' | 'gone';

/** What an instance last reported of itself. */
export interface Knowledge extends Pick<Health, 'status' | 'position' | 'entries' | 'hint'> {
  /** When its last proof of freshness was sent, by our clock (ms); `null` while there is none. */
  readonly proofAt: number | null;
}

type Environment = Readonly<Record<string, string>>;

/** One quick-start in its own process, with its own connection to the database. */
export class Instance {
  state: InstanceState = 'gone';
  knowledge: Knowledge | null = null;
  /** Requests that wait for an answer. */
  inFlight = 0;
  /** Answers so far, by kind. */
  readonly tally: Record<Decision, number> = { accepted: 0, refused: 0, unknown: 0, silent: 0 };
  private child: ChildProcess | undefined;
  private client: QuickstartClient | undefined;
  private resumedAt = 0;

  constructor(
    readonly name: string,
    readonly line: DatabaseLine,
    private readonly environment: Environment,
    private readonly keeper: KeeperProcess,
  ) {}

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  /** Resolves when it listens, or when it has stopped without listening. */
  async start(): Promise<void> {
    if (this.state !== 'gone') return;
    this.state = 'starting';
    const env = { ...this.environment, DATABASE_URL: this.line.url };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const ended = this.ended(child);
    createInterface(child.stderr).on('line', (line) => console.error(`[${this.name}] ${line}`));
    const url = new Promise<string>((resolve) => {
      createInterface(child.stdout).on('line', (line) => {
        const address = READY.exec(line)?.[1];
        if (address !== undefined) resolve(address);
      });
    });
    const address = await Promise.race([url, ended]);
    if (address === undefined) return;
    this.client = new QuickstartClient(address);
    this.state = 'running';
    void this.look(this.client);
  }

  /** Stops the whole process, timers included, as a paused container. */
  pause(): void {
    if (this.state !== 'running') return;
    this.child?.kill('SIGSTOP');
    this.state = 'paused';
  }

  /** Continues it as if no time had passed. */
  resume(): void {
    if (this.state !== 'paused') return;
    this.resumedAt = now();
    this.state = 'running';
    this.child?.kill('SIGCONT');
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** A guarded request with this token; one to a paused instance waits in its socket. */
  async read(token: string): Promise<Reading> {
    const wasPaused = this.state === 'paused';
    const sentAt = now();
    const status = await this.busy((client) => client.me(token));
    const answeredAt = now();
    const decision = decisionOf(status ?? 0);
    this.tally[decision]++;
    const waited = wasPaused && this.resumedAt > sentAt;
    const notBefore = waited ? this.resumedAt : sentAt;
    return { decision, sentAt, answeredAt, notBefore, waited };
  }

  /** The token, or the status of the refusal; 0 for no answer. */
  async login(username: string): Promise<string | number> {
    return (await this.busy((client) => client.login(username))) ?? 0;
  }

  async logout(token: string): Promise<number> {
    return (await this.busy((client) => client.logout(token))) ?? 0;
  }

  private async ended(child: ChildProcess): Promise<void> {
    const { pid } = child;
    if (pid !== undefined) this.keeper.guard(pid);
    await once(child, 'exit');
    if (pid !== undefined) this.keeper.release(pid);
    Object.assign(this, { state: 'gone', child: undefined, client: undefined, knowledge: null });
  }

  private async busy<T>(work: (client: QuickstartClient) => Promise<T>): Promise<T | undefined> {
    if (this.client === undefined) return undefined;
    this.inFlight++;
    try {
      return await work(this.client);
    } finally {
      this.inFlight--;
    }
  }

  private async look(client: QuickstartClient): Promise<void> {
    while (this.client === client) {
      const health = await client.health();
      if (health !== undefined && this.client === client) {
        const { staleness, ...said } = health;
        const proofAt = staleness === null ? null : now() - staleness * 1_000;
        this.knowledge = { ...said, proofAt };
      }
      await pause(LOOK_EVERY);
    }
  }
}
