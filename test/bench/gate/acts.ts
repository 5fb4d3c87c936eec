/** What can be measured in a process that runs one build. */
export const ACTS = [
  'guarded request, token seen',
  'guarded request, token never seen',
  'login',
  'refresh',
  'logout',
  'logout, 64 at once',
  'decision, nothing revoked',
  'decision, session revoked',
] as const;
export type Act = (typeof ACTS)[number];

/** How often an act is done in one block: some 30 to 100 ms of CPU. */
export const COUNTS: Readonly<Record<Act, number>> = {
  'guarded request, token seen': 512,
  'guarded request, token never seen': 512,
  login: 32,
  refresh: 32,
  logout: 32,
  'logout, 64 at once': 256,
  'decision, nothing revoked': 20_000,
  'decision, session revoked': 100_000,
};

/** What the first load of a log took. */
export interface Boot {
  /** Milliseconds of the whole process. */
  readonly cpu: number;
  readonly wall: number;
  /** The longest time in which the event loop answered no request (ms). */
  readonly stall: number;
  /** Unexpired revocations in memory afterwards. */
  readonly entries: number;
}
