import { InvalidArgumentError } from 'commander';
import type { SeenInstance } from '../database/instance.statements.js';
import { parseDuration } from '../options/duration.js';
import { isIdentifier } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import type { CommandLog } from './command-log.js';
import { CommandUsageError } from './command.js';

/** The options that say whose tokens are meant. */
export interface IssuerOptions {
  readonly issuer?: string | undefined;
  readonly foreign?: boolean | undefined;
}

/** An issuer with the keys of its events. */
export interface NamedIssuer {
  readonly issuer: string;
  readonly keys: EventKeys;
}

/**
 * The issuer that is meant, and the keys of its events (W2). Ids of our own issuer have other keys than
 * those of a foreign one, and a typo in the name would end nothing. So it is compared with what the
 * instances registered.
 *
 * @throws CommandUsageError when it is not known, or contradicts the instances.
 */
export async function readIssuer(
  log: CommandLog,
  { issuer, foreign = false }: IssuerOptions,
): Promise<NamedIssuer> {
  const known = [...new Set((await log.listInstances()).map((instance) => instance.issuer))];
  const [only] = known;
  if (issuer === undefined) {
    if (only !== undefined && known.length === 1 && !foreign) {
      return { issuer: only, keys: new EventKeys(only) };
    }
    throw new CommandUsageError(
      'Whose tokens? Give --issuer, exactly as in AuthModule.forRoot({ issuer }).',
      known.length === 0 ? 'No instance is known in this database.' : `Known: ${known.join(', ')}`,
    );
  }
  if (!isIdentifier(issuer)) throw new CommandUsageError('--issuer must have 1 to 255 characters.');
  if (foreign) {
    if (!known.includes(issuer)) return { issuer, keys: new EventKeys('') };
    throw new CommandUsageError(
      `--foreign: the issuer ${issuer} is the instances’ own issuer.`,
      'Leave --foreign out.',
    );
  }
  if (known.length === 0 || known.includes(issuer)) return { issuer, keys: new EventKeys(issuer) };
  throw new CommandUsageError(
    `No instance has the issuer ${issuer}; they have ${known.join(', ')}. Nothing would be ended.`,
    'Correct --issuer; it is compared exactly.',
    'If another issuer signed these tokens (the option foreign of AuthModule.forRoot()), add --foreign.',
  );
}

/** From here on (ms) what is registered is no bound: `observe` and the policy `open` register a century. */
const UNBOUNDED_FROM = 366 * 86_400_000;

/** Whether a registered staleness is no bound. */
export function isUnbounded(milliseconds: number): boolean {
  return milliseconds >= UNBOUNDED_FROM;
}

/** A bound for people: `5 s`, `1 h`, or that there is none. */
export function boundText(milliseconds: number): string {
  return isUnbounded(milliseconds) ? 'unbounded' : spanText(milliseconds);
}

/** A length of time for people. */
export function spanText(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 120) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Number((seconds / 3_600).toFixed(1))} h`;
  return `${Number((seconds / 86_400).toFixed(1))} d`;
}

/** `1 event`, `2 events`. */
export function plural(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}

/**
 * A duration on the command line, in milliseconds; digits alone are seconds, as in the option.
 *
 * @throws InvalidArgumentError, to which commander adds the name of the option.
 */
export function duration(given: string): number {
  const parsed = parseDuration(/^\d{1,12}(\.\d{1,3})?$/.test(given) ? Number(given) : given);
  if (typeof parsed === 'number') return parsed;
  throw new InvalidArgumentError(parsed.fix);
}

/**
 * A time on the command line, in milliseconds: seconds as in a token's `exp`, or an ISO time.
 *
 * @throws InvalidArgumentError
 */
export function time(given: string): number {
  const milliseconds = /^\d{1,12}$/.test(given) ? Number(given) * 1000 : Date.parse(given);
  if (milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError('Give seconds since 1970, or a time such as 2026-01-31T12:00Z.');
}

/** Instances renew their rows once a minute; one that missed three renewals counts as gone (ms). */
const SEEN_WITHIN = 180_000;

/** Whether an instance is running, as far as its row shows. */
export function isRunning({ seenAgo }: SeenInstance): boolean {
  return seenAgo < SEEN_WITHIN;
}

/** `host:pid (seen 20 s ago), …` */
export function namesOf(instances: readonly SeenInstance[]): string {
  return instances
    .map(({ label, seenAgo }) => `${label} (seen ${spanText(seenAgo)} ago)`)
    .join(', ');
}
