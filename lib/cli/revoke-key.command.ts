import { sessionsOfKey } from '../logout/sessions-of-key.js';
import { draftsOf } from '../revocation/log/event-draft.js';
import { KEYS_OF_ISSUERS } from '../revocation/log/log-format.js';
import { type CommandLog, withLog } from './command-log.js';
import { plural, readIssuer } from './command-options.js';
import { type CommandContext, CommandUsageError, EXIT } from './command.js';
import { appendOne, type EndOptions, reasonOf, report, settings } from './revoke.command.js';

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
