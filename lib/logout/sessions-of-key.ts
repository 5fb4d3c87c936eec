import type { EventKeys } from '../revocation/log/event-key.js';
import type { SessionRows } from '../sessions/session-purge.service.js';

/** Sessions that are read, and ended, at a time. */
const BATCH = 500;

/** Below every key of a session. */
const FIRST = '0'.repeat(32);

/**
 * The ids of an issuer's sessions that go on and whose last access token this key has signed, page by
 * page; those that end while it is read are left out.
 *
 * @param now - The database's time (epoch ms).
 */
export async function* sessionsOfKey(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  issuer: string,
  kid: string,
  now: number,
): AsyncGenerator<string[]> {
  let after = FIRST;
  for (let found = BATCH; found === BATCH;) {
    const from = after;
    const page = await rows.read(({ statements }) => statements.listByKey(kid, from, now, BATCH));
    found = page.length;
    after = page.at(-1)?.['session_key'] ?? after;
    // A log that several issuers share may hold sessions of another one with the same key.
    yield page
      .filter((row) => keys.hex('session', issuer, row['sid'] ?? '') === row['session_key'])
      .map((row) => row['sid'] ?? '');
  }
}
