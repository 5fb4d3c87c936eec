import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { REVOCATION_REASONS } from '../database/entities/revocation-event.entity.js';
import { parseDuration } from '../options/duration.js';
import { RELEASE } from '../platform/release.js';
import { CommandFailure, type CommandHost, CommandOutput, EXIT } from './command.js';
import type { CommandContext } from './command-log.js';
import type { TargetOptions } from './log-target.js';

/** A command: it takes its options and returns its exit code; `undefined` means 0. */
type Run = (context: CommandContext, options: never) => Promise<number | void>;

/** The commands by name. Each is imported when it runs, so `--help` does not load TypeORM. */
const COMMANDS = {
  status: async () => (await import('./status.command.js')).status,
  doctor: async () => (await import('./doctor.command.js')).doctor,
  explain: async () => (await import('./explain.command.js')).explain,
  revoke: async () => (await import('./revoke.command.js')).revoke,
  'revoke-key': async () => (await import('./revoke.command.js')).revokeKey,
  purge: async () => (await import('./maintenance.commands.js')).purge,
  migrate: async () => (await import('./migrate.command.js')).migrate,
  'lower-bound': async () => (await import('./maintenance.commands.js')).lowerBound,
  'raise-format': async () => (await import('./maintenance.commands.js')).raiseFormat,
  'new-history': async () => (await import('./maintenance.commands.js')).newHistory,
} satisfies Record<string, () => Promise<Run>>;

/**
 * Runs `nestjs-logout`: parses the arguments, runs one command, closes its connections, and prints errors. It
 * neither throws for an error of a command nor ends the process. See docs/cli.md.
 *
 * @param words - The arguments after the name of the program.
 *
 * @returns the exit code: 0 done, 1 something is wrong, 2 wrong usage.
 */
export async function runCommand(words: readonly string[], host: CommandHost): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('nestjs-logout')
    .description('Operates the revocation log of nestjs-logout.')
    .version(RELEASE)
    // Without it, commander would exit the process before the log is closed and the output is
    // flushed.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
    })
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nThe database: --data-source, or DATABASE_URL (postgres://…, mysql://…, sqlite:path).\n' +
        'Exit codes: 0 done, 1 something is wrong, 2 wrong usage.',
    );

  const add = (name: keyof typeof COMMANDS, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option(
        '--data-source <file>',
        'module that exports the DataSource, as for TypeORM’s command',
      )
      .option('--schema <name>', 'PostgreSQL: the schema, as in AuthModule.forRoot()')
      .option('--table-prefix <text>', 'the prefix of the table names, as in AuthModule.forRoot()')
      .option('--json', 'print one JSON object instead of lines')
      .action(async (...given: unknown[]) => {
        // Commander passes the arguments, then the options, then the command.
        const command = given.at(-1) as Command;
        const options = { ...command.opts<TargetOptions>(), ...argumentsOf(command) };
        const load: () => Promise<Run> = COMMANDS[name];
        const [run, { CommandContext }] = await Promise.all([load(), import('./command-log.js')]);
        const context = new CommandContext(host, outputOf(options.json), options);
        try {
          exitCode = (await run(context, options as never)) ?? EXIT.ok;
        } finally {
          await context.close();
        }
      });
  const outputOf = (json = false): CommandOutput => new CommandOutput(host, json);

  add('status', 'show the log, the registered bounds and the instances');
  add(
    'doctor',
    'run every check and print each mistake with its fix; exit code 1 if something is wrong',
  );
  add('explain', 'show what revoked the access token from stdin, when, and who did it');
  withEnd(
    add(
      'revoke',
      'revoke the tokens of one session, account, client or grant, one token, or all tokens',
    ),
  )
    .option('--session <sid>', 'one login: its access tokens and its refresh token')
    .option('--token-id <jti>', 'one access token or API token')
    .option('--expires <exp>', 'with --token-id: the token’s exp (seconds, or an ISO time)', time)
    .option('--subject <sub>', 'every token of an account')
    .option('--client <name>', 'with --subject: only the sessions of this client')
    .option('--grant <id>', 'every session of a grant, of all accounts')
    .option('--except <sid>', 'with --subject: the one session that is kept')
    .option('--lock-for <duration>', 'with --subject: also refuse logins, such as 15m', duration)
    .option('--everyone', 'every token of the issuer');
  withEnd(
    add('revoke-key', 'revoke a leaked signing key: refuse all tokens that it signed, permanently'),
  )
    .requiredOption('--kid <kid>', 'the id of the key')
    .option('--sessions', 'also end the sessions whose last token it signed')
    .option('--dry-run', 'only count these sessions');
  add('purge', 'delete events that no token needs any more').option(
    '--history-for <duration>',
    'also delete the rows of sessions that ended this long ago (your option historyFor)',
    duration,
  );
  add('migrate', 'create the tables of the log')
    .option('--print', 'print the SQL instead')
    .option('--role <name>', 'with --print: also the GRANTs for this role');
  add('lower-bound', 'lower a registered bound that no instance needs any more')
    .option('--max-staleness <duration>', 'seconds, or such as 5s', duration)
    .option('--max-token-life <duration>', 'seconds, or such as 15m', duration)
    .addOption(
      new Option('--stopped-at <time>', 'when the last instance with a larger value was stopped')
        .argParser(time)
        .conflicts('wait'),
    )
    .option('--wait', 'wait for one old bound instead');
  add(
    'raise-format',
    'allow events that older releases do not understand; run it after the last older instance has stopped',
  )
    .argument('<format>', 'such as 2')
    .option('--yes', 'do not ask');
  add(
    'new-history',
    'start a new history after a backup was restored, while every instance is stopped',
  )
    .option('--force', 'run although instances seem to be running; make sure that they are stopped')
    .option('--yes', 'do not ask');

  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    const output = outputOf(words.includes('--json'));
    if (error instanceof CommanderError) {
      // Commander has printed the message to stderr already. `--help` and `--version` come here with code 0.
      if (error.exitCode === 0) return EXIT.ok;
      output.failed(error.message);
      return EXIT.usage;
    }
    const { messageOf } = await import('../platform/log-text.js');
    // An error that was thrown inside a transaction is wrapped.
    const cause =
      error instanceof Error && error.cause instanceof CommandFailure ? error.cause : error;
    output.note(messageOf(cause));
    output.failed(messageOf(cause));
    return cause instanceof CommandFailure ? cause.exitCode : EXIT.wrong;
  }
}

/**
 * Parses a duration on the command line to milliseconds. A number without a unit means seconds, as
 * in the options.
 *
 * @throws InvalidArgumentError; commander adds the name of the option to it.
 */
function duration(given: string): number {
  const parsed = parseDuration(/^\d{1,12}(\.\d{1,3})?$/.test(given) ? Number(given) : given);
  if (typeof parsed === 'number') return parsed;
  throw new InvalidArgumentError(parsed.fix);
}

/**
 * Parses a time on the command line to epoch milliseconds: seconds as in the claim `exp`, or an ISO
 * 8601 time.
 *
 * @throws InvalidArgumentError for any other text.
 */
function time(given: string): number {
  const milliseconds = /^\d{1,12}$/.test(given) ? Number(given) * 1000 : Date.parse(given);
  if (milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError('Use seconds since 1970, or a time such as 2026-01-31T12:00Z.');
}

/** The arguments that are not options, by name: for `raise-format 2` that is `{ format: '2' }`. */
function argumentsOf({ registeredArguments, args }: Command): Record<string, string | undefined> {
  return Object.fromEntries(registeredArguments.map((each, index) => [each.name(), args[index]]));
}

/** Adds the options that every command that revokes tokens has. */
function withEnd(command: Command): Command {
  return command
    .option('--issuer <iss>', 'the issuer of the tokens; default: the only issuer of the instances')
    .option('--foreign', 'the issuer is in the option foreign')
    .addOption(
      new Option('--reason <reason>', 'a reason, which the holder of the token can read').choices(
        REVOCATION_REASONS,
      ),
    )
    .option('--actor <who>', 'who did it, for the audit')
    .option(
      '--keep-for <duration>',
      'keep the event for at least this time; for sessions of a foreign issuer',
      duration,
    )
    .option('--id <id>', 'the id that an earlier run with an unknown outcome printed')
    .option('--yes', 'do not ask');
}
