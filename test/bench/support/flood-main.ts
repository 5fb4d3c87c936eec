import { createSecretKey, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { checkKeyOf, newRefreshToken } from '../../../lib/sessions/refresh-token.js';
import { SHARED_SECRET } from '../../support/mint-token.js';
import type { FloodSettings, FloodTally } from './flood-process.js';

/** Each socket sends the next text as soon as the last was answered. */
const PATHS = ['/auth/refresh', '/auth/logout', '/auth/revoke'] as const;

const { port, sockets, shape } = JSON.parse(process.env['BENCH_FLOOD'] ?? '{}') as FloodSettings;
// The worst case: a client that has, or had, a key of the ring.
const key = checkKeyOf(createSecretKey(SHARED_SECRET, 'utf8'));
const tally: FloodTally = { answers: {} };
let isOver = false;

function textOf(): string {
  return shape === 'random' ? randomBytes(32).toString('base64url') : newRefreshToken(key);
}

function flood(number: number): void {
  const path = PATHS[number % PATHS.length] ?? PATHS[0];
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const send = (): void => {
    const text = textOf();
    const body = `${path === '/auth/revoke' ? 'token' : 'refresh_token'}=${text}`;
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  };
  socket.on('connect', send);
  socket.on('data', (bytes) => {
    const status = bytes.toString('latin1', 9, 12);
    tally.answers[status] = (tally.answers[status] ?? 0) + 1;
    if (!isOver) send();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    if (!isOver) setTimeout(() => flood(number), 100);
  });
}

process.once('message', () => {
  isOver = true;
  process.send?.(tally, () => process.exit(0));
});
process.once('disconnect', () => process.exit(0));
for (let number = 0; number < sockets; number++) flood(number);
