import { setTimeout } from 'node:timers/promises';
import type { Instance } from '../../support/instance.js';
import type { QuickstartClient } from '../../support/quickstart-client.js';

/** What an instance said of a token. */
export type Decision = 'accepted' | 'refused' | 'unknown';

/** One instance as a client sees it. */
export interface Peer {
  readonly name: string;
  read(token: string): Promise<Decision>;
  /** Whether it resolved; a 503 has not. */
  logout(token: string): Promise<boolean>;
}

interface Read {
  readonly peer: string;
  readonly token: string;
  /** By the one clock of this process (ms), before it was asked. */
  readonly asked: number;
  readonly answered: number;
  readonly decision: Decision;
}

interface Logout {
  readonly peer: string;
  readonly token: string;
  readonly asked: number;
  readonly resolved: number;
}

const READERS = 4;
const WRITERS = 2;
/** Hundreds of reads a second see each change; more would only keep the machine busy (ms). */
const READ_PAUSE = 8;
const WRITE_PAUSE = 20;

/**
 * Clients that read with every token and log some of them out, on every instance, while something
 * happens to the database; the results are judged afterwards.
 */
export class Load {
  private readonly reads: Read[] = [];
  private readonly asked = new Set<string>();
  private readonly ended = new Map<string, Logout>();
  private isOver = false;
  private clients: Promise<void>[] = [];
  /** Logouts that were answered 503. */
  unresolved = 0;

  constructor(
    private readonly peers: readonly Peer[],
    /** Tokens that no call revokes. */
    private readonly spared: readonly string[],
    /** Tokens that are revoked one by one. */
    private readonly queue: string[],
  ) {}

  start(): void {
    this.clients = [
      ...Array.from({ length: READERS }, (_, index) => this.readOn(index)),
      ...Array.from({ length: WRITERS }, (_, index) => this.endOn(index)),
    ];
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.clients);
  }

  /** The tokens whose logout has resolved. */
  get resolved(): string[] {
    return [...this.ended.keys()];
  }

  count(decision: Decision): number {
    return this.reads.filter((read) => read.decision === decision).length;
  }

  /** Resolves when so many more logouts have resolved. */
  async afterLogouts(count: number): Promise<void> {
    const goal = this.ended.size + count;
    while (this.ended.size < goal) await setTimeout(5);
  }

  /** Resolves when every instance has answered so since now. */
  async everywhere(decision: Decision): Promise<void> {
    const since = performance.now();
    let looked = this.reads.length;
    const missing = new Set(this.peers.map(({ name }) => name));
    while (missing.size > 0) {
      await setTimeout(5);
      for (const read of this.reads.slice(looked)) {
        if (read.asked >= since && read.decision === decision) missing.delete(read.peer);
      }
      looked = this.reads.length;
    }
  }

  /**
   * What contradicts the promises: P1 and P2 (accepted too late), P6 (accepted after it was refused
   * there), P8 (refused though nobody asked for it).
   *
   * @param bound - Milliseconds after which no instance may accept.
   */
  violations(bound: number): string[] {
    const found: string[] = [];
    const refusedAt = new Map<string, number>();
    for (const read of this.reads.filter(({ decision }) => decision === 'refused')) {
      const key = `${read.peer} ${read.token}`;
      refusedAt.set(key, Math.min(refusedAt.get(key) ?? Infinity, read.answered));
      if (!this.asked.has(read.token)) found.push(`P8: ${read.peer} refused what was not revoked`);
    }
    for (const read of this.reads.filter(({ decision }) => decision === 'accepted')) {
      const logout = this.ended.get(read.token);
      if (logout !== undefined) {
        const allowed = read.peer === logout.peer ? 0 : bound;
        const late = read.asked - logout.resolved - allowed;
        if (late >= 0) found.push(`P2: ${read.peer} accepted ${late.toFixed(0)} ms too late`);
      }
      if (read.asked >= (refusedAt.get(`${read.peer} ${read.token}`) ?? Infinity)) {
        found.push(`P6: ${read.peer} accepted what it had refused`);
      }
    }
    return found;
  }

  private async readOn(client: number): Promise<void> {
    for (let turn = client; !this.isOver; turn += 1) {
      const peer = this.peers[turn % this.peers.length] as Peer;
      const tokens = [...this.spared, ...this.queue.slice(0, WRITERS), ...this.resolved.slice(-8)];
      const token = tokens[Math.floor(Math.random() * tokens.length)] as string;
      const asked = performance.now();
      const decision = await peer.read(token);
      this.reads.push({
        peer: peer.name,
        token,
        asked,
        answered: performance.now(),
        decision,
      });
      await setTimeout(READ_PAUSE);
    }
  }

  private async endOn(client: number): Promise<void> {
    for (let turn = client; !this.isOver; turn += 1) {
      const token = this.queue.shift();
      if (token === undefined) return;
      this.asked.add(token);
      let isResolved = false;
      // A client that got a 503 tries again on the next instance.
      for (let attempt = turn; !isResolved && !this.isOver; attempt++) {
        const peer = this.peers[attempt % this.peers.length] as Peer;
        const asked = performance.now();
        isResolved = await peer.logout(token);
        if (isResolved) {
          this.ended.set(token, { peer: peer.name, token, asked, resolved: performance.now() });
        } else {
          this.unresolved++;
        }
        await setTimeout(WRITE_PAUSE);
      }
    }
  }
}

/** A quick-start over HTTP; any answer but those of the contract fails the test. */
export function peerOver(name: string, client: QuickstartClient): Peer {
  return {
    name,
    read: async (token) => {
      const status = await client.me(token);
      if (status === 200) return 'accepted';
      if (status === 401) return 'refused';
      if (status === 503) return 'unknown';
      throw new Error(`${name} answered ${status}`);
    },
    logout: async (token) => {
      const status = await client.logout(token);
      if (status === 204) return true;
      if (status === 503) return false;
      throw new Error(`${name} answered ${status}`);
    },
  };
}

/** An instance in this process; every other refusal than of a token that was ended fails the test. */
export function peerOf(name: string, instance: Instance): Peer {
  return {
    name,
    read: async (token) => {
      const code = await instance.judge(token);
      if (code === 'active') return 'accepted';
      if (code === 'session_ended') return 'refused';
      if (code === 'revocation_state_unknown') return 'unknown';
      throw new Error(`${name} said ${code}`);
    },
    logout: (token) =>
      instance.logout.logout(token).then(
        () => true,
        (error: { status?: number }) => {
          if (error.status === 503) return false;
          throw error;
        },
      ),
  };
}
