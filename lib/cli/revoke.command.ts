import { lockTimeOf } from '../options/duration.js';
import { isIdentifier } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { DEFAULT_REASONS, type RevocationRequest } from '../revocation/log/event-draft.js';
import type { Appended } from '../revocation/log/log.transactions.js';
import { clientOf, grantOf, sessionsOfKey, sessionsOfScope } from '../sessions/session-scope.js';
import { type CommandContext, type CommandLog, parseRetryId } from './command-log.js';
import { boundText, CommandUsageError, isUnbounded, plural } from './command.js';
import {
  draftsFor,
  type EndOptions,
  endSessions,
  type IssuerOptions,
  type NamedIssuer,
} from './end-sessions.js';

/** The options of `nestjs-logout revoke`. Exactly one of them says what to revoke. */
interface RevokeOptions extends EndOptions {
  readonly session?: string | undefined;
  readonly tokenId?: string | undefined;
  /** The `exp` of the token (epoch ms). */
  readonly expires?: number | undefined;
  readonly subject?: string | undefined;
  readonly client?: string | undefined;
  readonly grant?: string | undefined;
  readonly except?: string | undefined;
  /** How long logins of the account are refused (ms). */
  readonly lockFor?: number | undefined;
  readonly everyone?: boolean | undefined;
}

/** The options of `nestjs-logout revoke-key`. */
interface RevokeKeyOptions extends EndOptions {
  readonly kid: string;
  /** Only counts the sessions. */
  readonly dryRun?: boolean | undefined;
  /** Also ends the sessions whose last token the key signed. */
  readonly sessions?: boolean | undefined;
}

/**
 * `nestjs-logout revoke`: revokes one session, token, account, client or grant, or all tokens of an issuer.
 * Run it if the user cannot log out, for example after a device was stolen, or if no instance is running.
 *
 * It writes one event, as `LogoutService` does, with the same locks: accounts first, the head last (W1). For
 * a client or a grant that event is the cut-off, and each open session below it then gets an event of its
 * own, in several transactions. It sends no push notification, so running instances refuse the tokens after
 * their next poll.
 *
 * It prints each event with its position, the bound of all instances, and how long the event is kept.
 *
 * @throws CommandFailure if the outcome of a COMMIT is unknown (W4). It says how to run the command again.
 * @throws CommandUsageError for options that contradict each other, and for an issuer that no instance has.
 */
export async function revoke(context: CommandContext, options: RevokeOptions): Promise<void> {
  checkRevoke(options);
  const { output } = context;
  const log = await context.open();
  const own = await readIssuer(log, options);
  if (options.everyone === true) {
    const what = `Every token of ${own.issuer} is revoked, and all users have to log in again.`;
    await output.confirm(what, options.yes);
  }
  const request = requestOf(options, own.issuer);
  if (request.kind === 'session') {
    const key = own.keys.hex('session', own.issuer, request.sid);
    // For the note only. The row may have been deleted, and a session of a foreign issuer has none.
    const stored = await log.read(({ statements }) => statements.lockSession(key));
    if (stored.length === 0) {
      output.note('No such session is stored here. Its tokens are revoked all the same.');
    }
  }
  const appended = await end(log, own, options, request);
  if (request.kind !== 'subject' || request.scope === undefined) return report(context, appended);
  const cutOff = appended.events[0]?.position ?? 0;
  // Sessions are searched after the commit: a login that is stored later finds the cut-off itself (G1).
  const pages = sessionsOfScope(log, own.keys, request.scope, cutOff);
  const whose = 'grant' in request.scope ? 'the grant' : 'the client';
  const ended = await endSessions(context, log, own, options, whose, pages);
  report(context, appended, ended);
}

/**
 * `nestjs-logout revoke-key`: revokes a leaked signing key for ever. No token that it signed or will sign is
 * accepted. Sessions continue with the next key, unless you pass `--sessions`.
 *
 * It writes one event under the lock on the head (W1). A log below format 2 gets two events. The second one is
 * for instances of older releases, and applies to the keys with this `kid` of every issuer. With `--sessions`,
 * each session then gets an event of its own. `--dry-run` only reads, and prints the number of sessions.
 *
 * @throws CommandFailure, CommandUsageError as {@link revoke} does.
 */
export async function revokeKey(context: CommandContext, options: RevokeKeyOptions): Promise<void> {
  const { kid, dryRun, sessions = false } = options;
  const { output } = context;
  if (options.foreign === true && (sessions || dryRun === true)) {
    throw new CommandUsageError(
      '--foreign does not go with --sessions and --dry-run: the sessions here are of our own issuer.',
    );
  }
  const log = await context.open();
  const own = await readIssuer(log, options);
  if (dryRun === true) {
    let hit = 0;
    for await (const sids of await pages(log, own, kid)) hit += sids.length;
    const text = `The key ${kid} signed the last token of ${plural(hit, 'session')}. Nothing was changed.`;
    return output.print([text], { kid, sessions: hit });
  }
  await output.confirm(
    `Every token of ${own.issuer} that the key ${kid} signed or will sign is refused, for ever.`,
    options.yes,
  );
  const request = { kind: 'key', issuer: own.issuer, kid } as const;
  // The key is revoked before the sessions: until then, refreshes continue to sign with it, and
  // could add sessions to the list.
  const appended = await end(log, own, options, request);
  const reason = DEFAULT_REASONS.key;
  const ended = sessions
    ? await endSessions(
        context,
        log,
        own,
        { ...options, reason },
        'the key',
        await pages(log, own, kid),
      )
    : undefined;
  report(context, appended, ended);
}

/**
 * Finds the issuer and how the keys of its events are computed (W2). Ids of our own issuer have
 * other keys than those of a foreign one, and a misspelled issuer would revoke nothing. So it is
 * compared with the issuers that instances have registered.
 *
 * @throws CommandUsageError if it is not known, or does not match the instances.
 */
async function readIssuer(
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
    // Keys without an own issuer: every id is hashed, as in an instance with the option foreign.
    if (!known.includes(issuer)) return { issuer, keys: new EventKeys('') };
    throw new CommandUsageError(
      `--foreign: the issuer ${issuer} is the instances’ own issuer.`,
      'Leave --foreign out.',
    );
  }
  // Without instances there is nothing to compare with, and a revocation must still be possible.
  if (known.length === 0 || known.includes(issuer)) return { issuer, keys: new EventKeys(issuer) };
  throw new CommandUsageError(
    `No instance has the issuer ${issuer}; they have ${known.join(', ')}. Nothing would be ended.`,
    'Correct --issuer; it is compared exactly.',
    'If another issuer signed these tokens (the option foreign of AuthModule.forRoot()), add --foreign.',
  );
}

/** Checks that the options fit together, before anything is written. */
function checkRevoke(options: RevokeOptions): void {
  const { session, tokenId, subject, grant, everyone, expires, except, lockFor, client } = options;
  const named = [session, tokenId, subject, grant, everyone].filter((value) => value !== undefined);
  if (named.length !== 1) {
    throw new CommandUsageError(
      'Say what to end: give exactly one of --session, --token-id, --subject, --grant and --everyone.',
    );
  }
  // An option without an effect is refused: the operator has misunderstood it, and a revocation
  // cannot be undone.
  for (const [name, given, needed, other] of [
    ['--expires', expires, '--token-id', tokenId],
    ['--except', except, '--subject', subject],
    ['--lock-for', lockFor, '--subject', subject],
    ['--client', client, '--subject', subject],
  ] as const) {
    if (given === undefined || other !== undefined) continue;
    throw new CommandUsageError(`${name} only goes with ${needed}.`);
  }
  if (client !== undefined && (except !== undefined || lockFor !== undefined)) {
    throw new CommandUsageError('--client does not go with --except and --lock-for.');
  }
  if (options.foreign === true && (client !== undefined || grant !== undefined)) {
    throw new CommandUsageError(
      '--foreign does not go with --client and --grant: the sessions here are of our own issuer.',
    );
  }
  if (options.foreign === true && options.keepFor === undefined && expires === undefined) {
    throw new CommandUsageError(
      '--foreign needs --keep-for: how long a session of that issuer can last (its maxSessionLife). An event that is forgotten sooner would make its tokens valid again.',
    );
  }
}

/** The revocation that the options describe. */
function requestOf(options: RevokeOptions, issuer: string): RevocationRequest {
  const { session, tokenId, expires, subject, client, grant, except, lockFor } = options;
  if (session !== undefined) return { kind: 'session', issuer, sid: session };
  if (tokenId !== undefined) {
    const expiresAt = expires === undefined ? undefined : expires / 1000;
    return { kind: 'token', issuer, jti: tokenId, expiresAt };
  }
  if (grant !== undefined) {
    return { kind: 'subject', issuer, scope: { grant: grantOf(grant, '--grant') } };
  }
  if (subject !== undefined && client !== undefined) {
    return { kind: 'subject', issuer, scope: { subject, client: clientOf(client, '--client') } };
  }
  // The only remaining case is --everyone.
  if (subject === undefined) return { kind: 'issuer', issuer };
  const account = lockFor === undefined ? undefined : { lockFor: lockTimeOf(lockFor / 1000) };
  return { kind: 'subject', issuer, subject, exceptSession: except, account };
}

/**
 * Writes the events of one request. With `--id` it completes an earlier run that may have written
 * them.
 */
async function end(
  log: CommandLog,
  own: NamedIssuer,
  options: EndOptions,
  request: RevocationRequest,
): Promise<Appended> {
  const drafts = draftsFor(log, own, options, request);
  if (options.id === undefined) return log.append(drafts);
  const retry = parseRetryId(options.id);
  const [draft, ...others] = drafts;
  // Only the first event has the printed id. The one for older instances may be written twice,
  // which does no harm.
  if (retry !== undefined && draft !== undefined) {
    return log.append([{ ...draft, ...retry }, ...others], true);
  }
  throw new CommandUsageError('--id takes what an earlier run printed, unchanged.');
}

const EVERY_ISSUER =
  'Below format 2 of the log it counts for keys of this name of every issuer (nestjs-logout raise-format).';

/**
 * The open sessions of a key. It uses the database's time, because this host's clock may be wrong.
 */
async function pages(
  log: CommandLog,
  { keys }: NamedIssuer,
  kid: string,
): Promise<AsyncGenerator<string[]>> {
  return sessionsOfKey(log, keys, kid, (await log.figures()).now);
}

/**
 * Prints the events, the time within which every instance refuses the tokens, and how long the
 * events are kept.
 *
 * @param sessions - The number of sessions that were revoked after it.
 */
function report({ output }: CommandContext, { head, events }: Appended, sessions?: number): void {
  const isBound = !isUnbounded(head.maxStaleness);
  const kept = events.map((event) => ({
    kind: event.kind,
    position: event.position,
    id: event.id,
    keptUntil: event.until === null ? null : new Date(event.until).toISOString(),
  }));
  output.print(
    [
      ...kept.map(
        ({ kind, position, id }) => `${kind} revoked at position ${position} (event ${id}).`,
      ),
      isBound
        ? `No instance accepts it after ${boundText(head.maxStaleness)}.`
        : 'There is no bound: an instance has registered an unbounded staleness.',
      ...kept.map(
        ({ keptUntil }) => `Remembered ${keptUntil === null ? 'for ever' : `until ${keptUntil}`}.`,
      ),
      // Only a key has two events.
      ...(events.length > 1 ? [EVERY_ISSUER] : []),
      ...(sessions === undefined ? [] : [`${plural(sessions, 'session')} ended.`]),
    ],
    {
      events: kept,
      effectiveEverywhereWithin: isBound ? head.maxStaleness / 1000 : null,
      ...(sessions === undefined ? {} : { sessions }),
    },
  );
}
