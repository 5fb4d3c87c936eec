#!/usr/bin/env node
import { runCommand } from './run-command.js';

const { stdout, stderr, stdin, env } = process;
const exitCode = await runCommand(process.argv.slice(2), { stdout, stderr, stdin, env });
// A DataSource module may have opened something of its own; what was printed goes out first.
stdout.write('', () => stderr.write('', () => process.exit(exitCode)));
