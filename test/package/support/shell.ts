import { execFile } from 'node:child_process';

/** The longest that any one command may take (ms). */
const LIMIT = 300_000;

/**
 * Runs a command to its end and returns its output.
 *
 * @throws with the command and all of its output when it fails.
 */
export function shell(cwd: string, command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, timeout: LIMIT, maxBuffer: 64 << 20, env: cleanEnvironment() };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      reject(new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${stdout}\n${stderr}`));
    });
  });
}

/** Runs a script of a package that is installed in `cwd`, with this very Node. */
export function node(cwd: string, script: string, ...args: string[]): Promise<string> {
  return shell(cwd, process.execPath, script, ...args);
}

/** What `npm run` sets for its children, apart from where packages come from. */
const SET_BY_NPM = /^npm_(?!config_)|^npm_config_(local_prefix|prefix|json|workspaces?)$/;

/** Ours without what npm and the tests set for their children: an application knows none of it. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, RESULTS_DIR: __, ...environment } = process.env;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !SET_BY_NPM.test(name)));
}
