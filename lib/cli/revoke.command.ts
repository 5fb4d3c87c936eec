import type { EventDraft } from '../database/log-rows.js';
import {
  REVOCATION_REASONS,
  type RevocationReason,
  KEYS_OF_ISSUERS,
} from '../database/revocation-event.js';
import { sessionsOfKey } from '../logout/key-sessions.service.js';
import { AUTH_OPTIONS } from '../options/auth-option-table.js';
import { lockTimeOf } from '../options/duration.js';
import { draftsOf, type RevocationRequest } from '../revocation/log/event-draft.js';
import type { Appended } from '../revocation/log/log.transactions.js';
import { type CommandLog, parseRetryId, withLog } from './command-log.js';
import {
  boundText,
  durationOption,
  type IssuerOptions,
  isUnbounded,
  plural,
  readIssuer,
} from './command-options.js';
import { type CommandContext, CommandUsageError, EXIT } from './command.js';
import type { TargetOptions } from './log-target.js';

/** What every command that ends tokens takes. */
export interface EndOptions extends TargetOptions, IssuerOptions {
  readonly reason?: string | undefined;
  readonly actor?: string | undefined;
  readonly id?: string | undefined;
  readonly keepFor?: string | undefined;
  readonly yes?: boolean | undefined;
}

/** The options of `nestjs-logout revoke`. */
export interface RevokeOptions extends EndOptions {
  readonly session?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly expires?: string | undefined;
  readonly subject?: string | undefined;
  readonly except?: string | undefined;
  readonly lockFor?: string | undefined;
  readonly everyone?: boolean | undefined;
}

/** `nestjs-logout revoke`: one event, written as `LogoutService` writes it. */
export async function revoke(context: CommandContext, options: RevokeOptions): Promise<number> {
  checkRevoke(options);
  const { output } = context;
  return withLog(context, options, async (log) => {
    const { issuer, keys } = await readIssuer(log, options);
    if (options.everyone === true) {
      await output.confirm(
        `Every token of ${issuer} dies, and everybody has to log in.`,
        options.yes,
      );
    }
    const request = requestOf(options, issuer);
    if (request.kind === 'session') {
      const key = keys.hex('session', issuer, request.sid);
      const stored = await log.read(({ statements }) => statements.lockSession(key));
      if (stored.length === 0) {
        output.note('No such session is stored here; its tokens are ended all the same.');
      }
    }
    const appended = await appendOne(
      log,
      options,
      draftsOf(request, keys, settings(options), log.clock.wall()),
    );
    report(context, appended);
    return EXIT.ok;
  });
}

function checkRevoke(options: RevokeOptions): void {
  const { session, tokenId, subject, everyone } = options;
  const named = [session, tokenId, subject, everyone].filter((value) => value !== undefined);
  if (named.length !== 1) {
    throw new CommandUsageError(
      'What is to be ended? Give exactly one of --session, --token-id, --subject and --everyone.',
    );
  }
  const without = (what: string, needs: string): CommandUsageError =>
    new CommandUsageError(`${what} only goes with ${needs}.`);
  if (options.expires !== undefined && tokenId === undefined)
    throw without('--expires', '--token-id');
  if (options.except !== undefined && subject === undefined) throw without('--except', '--subject');
  if (options.lockFor !== undefined && subject === undefined)
    throw without('--lock-for', '--subject');
  if (options.foreign === true && options.keepFor === undefined && options.expires === undefined) {
    throw new CommandUsageError(
      '--foreign needs --keep-for: how long a session of that issuer can live (its maxSessionLife); sooner forgotten, its tokens would revive.',
    );
  }
}

function requestOf(options: RevokeOptions, issuer: string): RevocationRequest {
  const { session, tokenId, subject, except, lockFor, actor } = options;
  const common = { issuer, actor };
  const reason = reasonOf(options.reason);
  if (session !== undefined) {
    return { ...common, kind: 'session', sid: session, reason: reason ?? 'logged_out_elsewhere' };
  }
  if (tokenId !== undefined) {
    const expiresAt = options.expires === undefined ? undefined : secondsOf(options.expires);
    return { ...common, kind: 'token', jti: tokenId, expiresAt, reason: reason ?? 'logout' };
  }
  if (subject !== undefined) {
    const account =
      lockFor === undefined
        ? undefined
        : { lockFor: lockTimeOf(durationOption('--lock-for', lockFor) / 1000) };
    return {
      ...common,
      kind: 'subject',
      subject,
      exceptSession: except,
      account,
      reason: reason ?? 'logged_out_elsewhere',
    };
  }
  return { ...common, kind: 'issuer', reason: reason ?? 'everyone' };
}

/** Writes the events of one request; with `--id` the one that an earlier run may have written. */
export async function appendOne(
  log: CommandLog,
  { id }: EndOptions,
  drafts: readonly EventDraft[],
): Promise<Appended> {
  if (id === undefined) return log.append(drafts);
  const retry = parseRetryId(id);
  const [draft, ...others] = drafts as [EventDraft, ...EventDraft[]];
  if (retry !== undefined) return log.append([{ ...draft, ...retry }, ...others], true);
  throw new CommandUsageError('--id takes what an earlier run printed, as it is.');
}

/** What of an instance's options an event needs: the head knows the longest token life. */
export function settings({ keepFor }: EndOptions): Parameters<typeof draftsOf>[2] {
  return {
    clockTolerance: Number(AUTH_OPTIONS.clockTolerance.default) * 1000,
    foreign: [],
    maxTokenLife: keepFor === undefined ? 0 : durationOption('--keep-for', keepFor),
  };
}

/** Tells what was written, from when it holds and how long it is remembered. */
export function report(
  { output }: CommandContext,
  { head, events }: Appended,
  more: { readonly lines: readonly string[]; readonly values: object } = { lines: [], values: {} },
): void {
  const isBound = !isUnbounded(head.maxStaleness);
  output.print(
    [
      ...events.map(
        ({ kind, position, id }) => `${kind} revoked at position ${position} (event ${id}).`,
      ),
      isBound
        ? `No instance accepts it after ${boundText(head.maxStaleness)}.`
        : 'There is no bound: an instance has registered an unbounded staleness.',
      ...events.map(({ until }) =>
        until === null
          ? 'Remembered for ever.'
          : `Remembered until ${new Date(until).toISOString()}.`,
      ),
      ...more.lines,
    ],
    {
      events: events.map(({ kind, position, id, until }) => ({
        kind,
        position,
        id,
        keptUntil: until === null ? null : new Date(until).toISOString(),
      })),
      effectiveEverywhereWithin: isBound ? head.maxStaleness / 1000 : null,
      ...more.values,
    },
  );
}

/** @throws CommandUsageError for a reason that no client knows. */
export function reasonOf(given: string | undefined): RevocationReason | undefined {
  if (given === undefined) return undefined;
  const reason = REVOCATION_REASONS.find((known) => known === given);
  if (reason !== undefined) return reason;
  throw new CommandUsageError(`--reason must be one of ${REVOCATION_REASONS.join(', ')}.`);
}

/** A token's `exp`: seconds as it stands there, or an ISO time. */
function secondsOf(given: string): number {
  const seconds = /^\d{1,12}$/.test(given) ? Number(given) : Date.parse(given) / 1000;
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new CommandUsageError(
    '--expires takes the token’s exp (seconds) or a time such as 2026-01-31T12:00Z.',
  );
}

/** Two events were written, and one of them is for instances of older releases. */
const EVERY_ISSUER =
  'Below format 2 of the log it counts for keys of this name of every issuer (nestjs-logout raise-format).';

/** The options of `nestjs-logout revoke-key`. */
export interface RevokeKeyOptions extends EndOptions {
  readonly kid: string;
  readonly dryRun?: boolean | undefined;
  readonly sessions?: boolean | undefined;
}

/** `nestjs-logout revoke-key`: a signing key has leaked; nothing that it signs is accepted any more. */
export async function revokeKey(
  context: CommandContext,
  options: RevokeKeyOptions,
): Promise<number> {
  const { kid, dryRun, sessions = false, actor } = options;
  const { output } = context;
  if (options.foreign === true && (sessions || dryRun === true)) {
    throw new CommandUsageError(
      '--foreign does not go with --sessions and --dry-run: the sessions here are of our own issuer.',
    );
  }
  return withLog(context, options, async (log) => {
    const own = await readIssuer(log, options);
    if (dryRun === true) {
      let hit = 0;
      for await (const sids of await pages(log, own, kid)) hit += sids.length;
      output.print(
        [`The key ${kid} signed the last token of ${plural(hit, 'session')}. Nothing was changed.`],
        { kid, sessions: hit },
      );
      return EXIT.ok;
    }
    await output.confirm(
      `Every token of ${own.issuer} that the key ${kid} signed or will sign is refused, for ever.`,
      options.yes,
    );
    const reason = reasonOf(options.reason) ?? 'key_compromised';
    const drafts = draftsOf(
      { kind: 'key', issuer: own.issuer, kid, reason, actor },
      own.keys,
      settings(options),
      log.clock.wall(),
    );
    const appended = await appendOne(log, options, drafts);
    const ended = sessions ? await endSessions(context, log, own, options) : undefined;
    report(context, appended, {
      lines: [
        ...(appended.head.format < KEYS_OF_ISSUERS ? [EVERY_ISSUER] : []),
        ...(ended === undefined ? [] : [`${plural(ended, 'session')} ended.`]),
      ],
      values: ended === undefined ? {} : { sessions: ended },
    });
    return EXIT.ok;
  });
}

type Own = Awaited<ReturnType<typeof readIssuer>>;

/** By the database's time: this host's clock may be off. */
async function pages(
  log: CommandLog,
  { issuer, keys }: Own,
  kid: string,
): Promise<AsyncGenerator<string[]>> {
  return sessionsOfKey(log, keys, issuer, kid, (await log.head()).now);
}

/** Page by page; run again after a failure it goes on with those that are left. */
async function endSessions(
  { output }: CommandContext,
  log: CommandLog,
  own: Own,
  options: RevokeKeyOptions,
): Promise<number> {
  const { kid, actor } = options;
  const progress = await output.progress('Ending the sessions of the key …');
  let ended = 0;
  try {
    for await (const sids of await pages(log, own, kid)) {
      if (sids.length === 0) continue;
      const drafts = sids.flatMap((sid) =>
        draftsOf(
          { kind: 'session', issuer: own.issuer, sid, reason: 'key_compromised', actor },
          own.keys,
          settings(options),
          log.clock.wall(),
        ),
      );
      await log.append(drafts);
      progress.update(`${plural((ended += drafts.length), 'session')} ended …`);
    }
    progress.done('All of them have ended.');
    return ended;
  } catch (error) {
    progress.stop();
    throw error;
  }
}
