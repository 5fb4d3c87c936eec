/** Why a target is missed, for the readers of docs/benchmarks.md. */
export interface Reason {
  /** A part of the figure's name; the first that fits is taken. */
  readonly figure: string;
  /** Only of this Node: `'20'`. */
  readonly node?: string;
  /** One sentence, without a `|`. */
  readonly because: string;
}

/**
 * After a change here, `npm run bench -- --render` writes the page anew from the figures that were
 * measured. It lists the missed targets that have no reason, and the reasons that no target needs.
 */
export const REASONS: readonly Reason[] = [
  {
    figure: 'tokens never seen',
    because:
      'jsonwebtoken verifies the token for both, in about 24 µs of a request on Fastify. On top come the check of the claims (3 µs), the look-ups in an index that no CPU cache holds (3 µs), the copy of the claims (2 µs), and the cache of verified tokens, where each new token evicts another (5 to 7 µs; all on a busy machine). A cache that admits a token only when it comes for the second time gave 0.88x. It was not taken: such a token is verified twice.',
  },
  {
    figure: 'fastify: tokens seen, 1e6 live',
    node: '26',
    because: 'Not explained yet: another run of that day, on a busy machine, gave 1.6x.',
  },
  {
    figure: 'tokens seen, 1e6 live',
    because: 'Within the noise: the target lies in the middle half of the rounds.',
  },
  {
    figure: 'against the recipe of the Nest documentation',
    because:
      'From Node 22 on jsonwebtoken needs far less for a secret that is a text, so the recipe itself is faster.',
  },
  {
    figure: 'one logout, one caller',
    because:
      'An insert into the log has four indexes in place of two, and the statement locks and raises the head: 210 µs of the server against 67 µs. The client leases a connection through TypeORM for each.',
  },
  {
    figure: 'durable and told, p99',
    because:
      'All 64 callers wait while one batch is committed, so the latency follows from the rate: 2 ms needs 32,000 logouts a second.',
  },
  {
    figure: 'MariaDB: refresh',
    because:
      'It takes nine statements there, where PostgreSQL takes two. And the machine was a slow one.',
  },
  {
    figure: 'SQLite: ',
    because:
      'The database runs in the process, so its own work and its fsync count too. And the machine was a slow one.',
  },
  {
    figure: 'fresh UUID',
    because:
      'A miss is one read of memory that no cache holds, so it depends on the machine: a faster one needed 109 ns. A Map of as many needs several times as long.',
  },
  {
    figure: 'PostgreSQL: rows a second',
    because:
      'It depends on the machine: a faster one loaded 733,000 rows a second, without a stall over 17 ms. On this one that same build was as slow, loads of both in turn.',
  },
  {
    figure: 'longest stall of the event loop',
    because: 'It depends on the machine: on a faster one it was 17 ms.',
  },
  {
    figure: 'until refused on B',
    because:
      'Both instances, the client and the server share two cores, and a push is followed by a poll.',
  },
  {
    figure: 'p99 beside 100 instances',
    because: 'The 100 instances share two cores with the server whose logouts are measured.',
  },
];

/** The sentence beside a missed target. */
export function reasonOf(
  figure: string,
  node: string,
  reasons: readonly Reason[] = REASONS,
): string | undefined {
  return reasons.find((reason) => fits(reason, figure, node))?.because;
}

/** Whether a reason is about this figure. */
export function fits(reason: Reason, figure: string, node: string): boolean {
  return figure.includes(reason.figure) && (reason.node === undefined || reason.node === node);
}
