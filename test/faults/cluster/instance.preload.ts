import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/*
 * Loaded before the quick-start with `--import`; the quick-start knows nothing of it.
 *
 * Nest ends an application at most signals, SIGUSR2 among them; nothing else listens to SIGWINCH.
 *
 * Its wall clock is wrong from the start by CLOCK_SKEW ms, and at each SIGWINCH by the next of
 * CLOCK_JUMPS more. Its passwords are hashed cheaply: what they cost would be all that is measured.
 */

const now = Date.now.bind(Date);
const jumps = (process.env['CLOCK_JUMPS'] ?? '').split(',').map(Number);
let skew = Number(process.env['CLOCK_SKEW'] ?? '0');
Date.now = () => now() + skew;
process.on('SIGWINCH', () => {
  const jump = jumps.shift() ?? 0;
  skew = jump;
  jumps.push(jump);
});

type Derive = (
  password: crypto.BinaryLike,
  salt: crypto.BinaryLike,
  length: number,
  options: crypto.ScryptOptions,
  callback: (error: Error | null, key: Buffer) => void,
) => void;

const { scrypt } = crypto as { scrypt: Derive };
const cheap = (
  password: crypto.BinaryLike,
  salt: crypto.BinaryLike,
  length: number,
  callback: (error: Error | null, key: Buffer) => void,
): void => scrypt(password, salt, length, { N: 2 }, callback);
Object.assign(crypto, { scrypt: cheap });
syncBuiltinESMExports();
