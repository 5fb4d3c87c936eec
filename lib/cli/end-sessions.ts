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

/** The options that select the issuer of the tokens. */
export interface IssuerOptions {
  /** @default the only issuer that the instances have registered */
  readonly issuer?: string | undefined;
  /** The issuer is in the option `foreign` of the module, so its sessions are not in this database. */
  readonly foreign?: boolean | undefined;
}

/** The options of every command that revokes tokens. Durations are in milliseconds. */
export interface EndOptions extends IssuerOptions {
  /** The holder of the token can read it. */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit. The holder of the token cannot read it. */
  readonly actor?: string | undefined;
  /** The id that an earlier run with an unknown outcome printed (W4). */
  readonly id?: string | undefined;
  /** How long the event is kept at least. */
  readonly keepFor?: number | undefined;
  readonly yes?: boolean | undefined;
}

/** An issuer, and how the keys of its events are computed. */
export interface NamedIssuer {
  readonly issuer: string;
  readonly keys: EventKeys;
}

/**
 * Makes the same drafts as an instance. The command does not need to know the application's
 * `accessTokenTtl`, because an event is kept for the longest lifetime that any instance has
 * registered in the head. The event of a single token without `--expires` is kept for longer,
 * because it may be an API token (O3).
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
 * Revokes sessions page by page, each with an event of its own. If the command is run again after a
 * failure, it continues with the remaining ones. A page is one transaction, which holds the lock on the head
 * only briefly, so logins and logouts continue in between.
 *
 * @param whose - What the sessions have in common, for the progress: `'the key'`.
 * @returns the number of revoked sessions.
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
