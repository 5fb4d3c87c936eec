import { Command, CommanderError, Option } from 'commander';
import { RELEASE } from '../platform/release.js';
import {
  type CommandContext,
  CommandFailure,
  type CommandHost,
  CommandOutput,
  EXIT,
} from './command.js';

/** A command's own part: options in, exit code out. */
type Run<T> = (context: CommandContext, options: T) => Promise<number>;

/** Loads a command's own part when it is called: --help is to come at once. */
type Load<T> = () => Promise<Run<T>>;

/**
 * Runs `nestjs-logout` with the words that came after its name.
 *
 * @returns the exit code: 0 done, 1 something is wrong, 2 wrong usage.
 */
export async function runCommand(words: readonly string[], host: CommandHost): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('nestjs-logout')
    .description('Operates the revocation log of nestjs-logout.')
    .version(RELEASE)
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

  const add = <T extends { readonly json?: boolean | undefined }>(
    name: string,
    description: string,
    load: Load<T>,
  ): Command =>
    program
      .command(name)
      .description(description)
      .option(
        '--data-source <file>',
        'module that exports the DataSource, as for TypeORM’s command',
      )
      .option('--schema <name>', 'PostgreSQL: the schema, as in AuthModule.forRoot()')
      .option(
        '--table-prefix <text>',
        'what the names of the tables begin with, as in AuthModule.forRoot()',
      )
      .option('--json', 'print one JSON object instead of lines')
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const options = { ...command.opts<T>(), ...argumentsOf(command) };
        const run = await load();
        exitCode = await run({ host, output: outputOf(options.json) }, options);
      });
  const outputOf = (json = false): CommandOutput => new CommandOutput(host, json);

  add(
    'status',
    'where the log stands, what is registered, who follows it',
    async () => (await import('./status.command.js')).status,
  );
  add(
    'doctor',
    'make every check, name each mistake with its fix; exit code 1 if something is wrong',
    async () => (await import('./doctor.command.js')).doctor,
  );
  withEnd(
    add(
      'revoke',
      'end tokens: one session, one token, an account’s, or everybody’s',
      async () => (await import('./revoke.command.js')).revoke,
    ),
  )
    .option('--session <sid>', 'one login: its access tokens and its refresh token')
    .option('--token-id <jti>', 'one access token')
    .option('--expires <exp>', 'with --token-id: the token’s exp (seconds, or an ISO time)')
    .option('--subject <sub>', 'every token of an account')
    .option('--except <sid>', 'with --subject: the one session that goes on')
    .option('--lock-for <duration>', 'with --subject: also refuse logins for so long, such as 15m')
    .option('--everyone', 'every token of the issuer');
  withEnd(
    add(
      'revoke-key',
      'a signing key has leaked: refuse all it signed, for ever',
      async () => (await import('./revoke.command.js')).revokeKey,
    ),
  )
    .requiredOption('--kid <kid>', 'the key’s id')
    .option('--sessions', 'also end the sessions whose last token it signed')
    .option('--dry-run', 'only count these sessions');
  add(
    'purge',
    'delete what can end no token any more',
    async () => (await import('./purge.command.js')).purge,
  ).option(
    '--history-for <duration>',
    'also delete what is left of ended logins after so long (your historyFor)',
  );
  add(
    'migrate',
    'make the tables of the log',
    async () => (await import('./migrate.command.js')).migrate,
  )
    .option('--print', 'print the SQL instead')
    .option('--role <name>', 'with --print: the GRANTs for this role, too');
  add(
    'lower-bound',
    'lower a registered bound when nobody needs it any more',
    async () => (await import('./lower-bound.command.js')).lowerBound,
  )
    .option('--max-staleness <duration>', 'seconds, or such as 5s')
    .option('--max-token-life <duration>', 'seconds, or such as 15m')
    .addOption(
      new Option('--stopped-at <time>', 'when the last instance with more was stopped').conflicts(
        'wait',
      ),
    )
    .option('--wait', 'wait here for one old bound instead');
  add(
    'raise-format',
    'let instances write what only newer releases understand, after the last older one is gone',
    async () => (await import('./raise-format.command.js')).raiseFormat,
  )
    .argument('<format>', 'such as 2')
    .option('--yes', 'do not ask');
  add(
    'new-history',
    'after a backup was put back, with every instance stopped',
    async () => (await import('./new-history.command.js')).newHistory,
  )
    .option('--force', 'the instances that seem to run are surely stopped')
    .option('--yes', 'do not ask');

  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { messageOf } = await import('../platform/log-text.js');
    // Thrown inside a transaction, it comes wrapped.
    const cause =
      error instanceof Error && error.cause instanceof CommandFailure ? error.cause : error;
    outputOf(words.includes('--json')).fail(messageOf(cause));
    return cause instanceof CommandFailure ? cause.exitCode : EXIT.wrong;
  }
}

/** The words that are no options, by name. */
function argumentsOf({ registeredArguments, args }: Command): Record<string, string | undefined> {
  return Object.fromEntries(registeredArguments.map((each, index) => [each.name(), args[index]]));
}

/** What every command that ends tokens takes. */
function withEnd(command: Command): Command {
  return command
    .option('--issuer <iss>', 'whose tokens; default: the one issuer of the instances')
    .option('--foreign', 'the issuer is not our own (the option foreign)')
    .option('--reason <reason>', 'told to the holder of the token')
    .option('--actor <who>', 'who did it, for the audit')
    .option(
      '--keep-for <duration>',
      'remember it for at least so long; for sessions of a foreign issuer',
    )
    .option('--id <id>', 'what an earlier run printed whose outcome nobody knows')
    .option('--yes', 'do not ask');
}
