#!/usr/bin/env node
import { runCommand } from './run-command.js';

const { stdout, stderr, stdin, env } = process;
// The entry point of the command `nestjs-logout`, see docs/cli.md.
const exitCode = await runCommand(process.argv.slice(2), { stdout, stderr, stdin, env });
// exit() is needed because a DataSource module may keep connections open. It waits until the output
// is flushed.
stdout.write('', () => stderr.write('', () => process.exit(exitCode)));
