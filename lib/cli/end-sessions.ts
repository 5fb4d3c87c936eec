import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { LONGEST_API_TOKEN } from '../options/api-token-options.js';
import { AUTH_OPTIONS } from '../options/auth-option-table.js';
import type { EventKeys } from '../revocation/index/event-key.js';
import {
  DEFAULT_REASONS,
  draftsOf,
  type EventDraft,
  type RevocationRequest,
} from '../revocation/log/event-draft.js';
import type { CommandContext, CommandLog } from './command-log.js';
import { plural } from './command.js';

/** The options that say whose tokens are meant. */
export interface IssuerOptions {
  readonly issuer?: string | undefined;
  readonly foreign?: boolean | undefined;
}

/** What every command that ends tokens takes; lengths of time are milliseconds. */
export interface EndOptions extends IssuerOptions {
  readonly reason?: RevocationReason | undefined;
  readonly actor?: string | undefined;
  readonly id?: string | undefined;
  readonly keepFor?: number | undefined;
  readonly yes?: boolean | undefined;
}

/** An issuer with the keys of its events. */
export interface NamedIssuer {
  readonly issuer: string;
  readonly keys: EventKeys;
}

/**
 * The same drafts as an instance makes. The command does not know the application's `accessTokenTtl`, and
 * need not: the event is kept for the longest lifetime that any instance has registered in the head. That of
 * one token whose expiry is not given is kept for longer: it may be an API token (O3).
 */
export function draftsFor(
  log: CommandLog,
  { keys }: NamedIssuer,
  { reason, actor, keepFor }: EndOptions,
  request: RevocationRequest,
): EventDraft[] {
  const mayLiveLong = request.kind === 'token' && request.expiresAt === undefined;
  const maxTokenLife = keepFor ?? (mayLiveLong ? LONGEST_API_TOKEN : 0);
  const clockTolerance = Number(AUTH_OPTIONS.clockTolerance.default) * 1000;
  return draftsOf(
    { reason: reason ?? DEFAULT_REASONS[request.kind], actor, ...request },
    keys,
    { clockTolerance, foreign: [], maxTokenLife },
    log.clock.wall(),
  );
}

/**
 * Ends sessions page by page, each by an event of its own; run again after a failure, it continues with
 * those that are left.
 *
 * @param whose - What they have in common, for the progress: `'the key'`.
 * @returns How many there were.
 */
export function endSessions(
  { output }: CommandContext,
  log: CommandLog,
  own: NamedIssuer,
  options: EndOptions,
  whose: string,
  pages: AsyncIterable<string[]>,
): Promise<number> {
  const work = async (update: (text: string) => void): Promise<number> => {
    let ended = 0;
    for await (const sids of pages) {
      if (sids.length === 0) continue;
      const drafts = sids.flatMap((sid) =>
        draftsFor(log, own, options, { kind: 'session', issuer: own.issuer, sid }),
      );
      await log.append(drafts);
      update(`${plural((ended += drafts.length), 'session')} ended …`);
    }
    return ended;
  };
  return output.during(`Ending the sessions of ${whose} …`, work, 'All of them have ended.');
}
