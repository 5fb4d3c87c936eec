/**
 * The client that presents a refresh token: the phone that was issued it, or a thief with a copy.
 */
export type Side = 'phone' | 'thief';

/** What the server answered: the next token, or the code of the refusal. */
export type Answer = { readonly token: string } | { readonly code: string };

interface Use {
  readonly by: Side;
  readonly at: number;
  readonly key: string | undefined;
  readonly successor: string;
  /** Who was given the successor: within the grace that may be both. */
  readonly users: Set<Side>;
}

/**
 * What one login may expect of the server, for an observer who sees every request of both sides.
 */
export class Ledger {
  readonly violations: string[] = [];
  /** Whether a thief was ever issued a token. */
  isStolen = false;
  isOver = false;
  private readonly uses = new Map<string, Use>();

  constructor(
    private readonly name: string,
    private readonly grace: number,
  ) {}

  /** Records the server's answer, and whether it was a wrong one. */
  note(by: Side, token: string, key: string | undefined, at: number, answer: Answer): void {
    const code = 'code' in answer ? answer.code : 'good';
    const expected = this.expected(by, token, key, at);
    if (expected !== 'anything' && expected !== code) {
      this.violations.push(`${this.name}: ${by} had to get ${expected} and got ${code}`);
    }
    if (code === 'refresh_token_reused') this.isOver = true;
    if (!('token' in answer)) return;
    if (by === 'thief') this.isStolen = true;
    const use = this.uses.get(token);
    if (use !== undefined) use.users.add(by);
    else this.uses.set(token, { by, at, key, successor: answer.token, users: new Set([by]) });
  }

  private expected(by: Side, token: string, key: string | undefined, at: number): string {
    if (this.isOver) return 'session_ended';
    const use = this.uses.get(token);
    if (use === undefined || at <= use.at + this.grace) return 'good';
    if (by === 'phone' && !this.isStolen) return 'good';
    const isOwnRetry = use.by === by && key !== undefined && use.key === key;
    const next = this.uses.get(use.successor);
    // The client that proves to have come first is given the successor that no other client has
    // used alone.
    if (isOwnRetry && (next === undefined || next.users.has(by))) return 'anything';
    return 'refresh_token_reused';
  }
}
