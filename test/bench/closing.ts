import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { mintToken } from '../support/mint-token.js';
import type { Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { InstanceProcess } from './support/instance-process.js';
import { startPostgres } from './support/postgres.js';
import { Probe } from './support/probe.js';

const ROUNDS = times(300, 20);
/** Rounds that are not counted: everything is compiled in them. */
const WARM_UP = 20;

/**
 * From the answer to a logout on A until an open event stream on B has ended, with a push
 * notification. As an external client gets them, by its one clock. The control is a stream on A,
 * which needs no push.
 */
export async function closing(): Promise<Figure[]> {
  const server = await startPostgres();
  if (server === undefined) return [];
  const settings = { url: server.url, hint: 'postgres', maxStaleness: 5 } as const;
  const [a, b] = [await InstanceProcess.start(settings), await InstanceProcess.start(settings)];
  const probe = await Probe.open(a.port);
  const there: number[] = [];
  const here: number[] = [];
  try {
    progress('from a logout on A until an open stream on B ends');
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      // Quiet in between, and at no fixed distance from a poll.
      await setTimeout(52 + Math.random() * 10);
      const token = mintToken();
      const [onA, onB] = [await openStream(a.port, token), await openStream(b.port, token)];
      const { status, received } = await probe.ask('POST /logout', token);
      if (status !== 204) throw new Error(`A logout was answered with ${status}.`);
      const [endedOnA, endedOnB] = await Promise.all([onA, onB].map(({ ended }) => ended));
      if (round < 0) continue;
      here.push((endedOnA ?? NaN) - received);
      there.push((endedOnB ?? NaN) - received);
    }
  } finally {
    probe.close();
    await Promise.all([a.stop(), b.stop()]);
    await server.stop();
  }
  const figure = (name: string, delays: readonly number[]): Figure => {
    const delay = new Distribution(delays);
    return { name, value: delay.at(0.99), unit: 'ms', note: `${delay}` };
  };
  const what = 'a logout answered on A until an open stream';
  return [
    figure(`${what} on B has ended, push by PostgreSQL, p99`, there),
    figure(`${what} on A itself has ended (control: no push), p99`, here),
  ];
}

/** An event stream whose first event has arrived, and when it ended. In an object: a promise would be awaited. */
async function openStream(
  port: number,
  token: string,
): Promise<{ readonly ended: Promise<number> }> {
  const headers = { authorization: `Bearer ${token}` };
  const request = get({ host: '127.0.0.1', port, path: '/open', headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`A stream gave ${response.statusCode}.`);
  await once(response, 'data');
  return { ended: once(response, 'end').then(() => performance.now()) };
}
