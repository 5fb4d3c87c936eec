import { cutOffOf } from '../database/account.statements.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { sessionOf, type SessionPlace, type SessionRow } from '../database/session.statements.js';
import type { Row } from '../database/statement.js';
import { refusal } from '../errors/auth.exception.js';
import { assertText, isIdentifier } from '../platform/identifier.js';
import type { EventKeys, SessionScope } from '../revocation/index/event-key.js';
import { cut } from './session-store.service.js';
import type { SessionRows } from './session-sweep.js';

/** The number of sessions that are read in one page and revoked in one transaction. */
const BATCH = 500;

/** A key that is lower than that of any session. */
const FIRST_KEY = '0'.repeat(32);

/** The scopes of a session, from its row. */
function scopesOf({ subject, client, grantId }: SessionRow): SessionScope[] {
  const scopes: SessionScope[] = [];
  if (client !== null) scopes.push({ subject, client });
  if (grantId !== null) scopes.push({ grant: grantId });
  return scopes;
}

/**
 * Why a session that was just stored must not start: its client or grant was logged out at a
 * position above that of the login. `undefined` if it was not.
 *
 * Call it after the session was committed. A logout commits its cut-off before it searches for
 * sessions. So either the logout finds this session, or this call finds the cut-off (G1).
 */
export async function overtakenBy(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  session: SessionRow,
): Promise<RevocationReason | undefined> {
  const scopes = scopesOf(session).map((scope) => keys.hexOfScope(scope));
  if (scopes.length === 0) return undefined;
  const found = await rows.read(({ accounts }) => accounts.findCutOffs(scopes));
  return found.map((row) => cutOffOf(row)).find(({ killsBelow }) => killsBelow > session.gen)
    ?.reason;
}

/**
 * The ids of the open sessions of a scope that started below a position, page by page.
 *
 * Names are compared again here, because MariaDB treats `'tv '` and `'tv'` as equal.
 */
export async function* sessionsOfScope(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  scope: SessionScope,
  below: number,
): AsyncGenerator<string[]> {
  if ('grant' in scope) {
    const { grant } = scope;
    const pages = pagesFrom(FIRST_KEY, keyOf, (after) =>
      rows.read(({ statements }) => statements.listByGrant(grant, after, below, BATCH)),
    );
    for await (const page of pages) {
      yield ownSids(
        page.filter((row) => row['grant_id'] === grant),
        keys,
      );
    }
    return;
  }
  const subjectKey = keys.hex('subject', keys.ownIssuer, scope.subject);
  const pages = pagesFrom<SessionPlace | undefined>(undefined, sessionOf, (after) =>
    rows.read(({ statements }) => statements.pageOpen(subjectKey, after, BATCH)),
  );
  for await (const page of pages) {
    yield page
      .map(sessionOf)
      .filter((session) => session.client === scope.client && session.gen < below)
      .map(({ sid }) => sid);
  }
}

/**
 * The ids of our open sessions whose last access token this key signed, page by page. Sessions that
 * end while the pages are read are left out.
 *
 * @param now - The database's time (epoch ms).
 */
export async function* sessionsOfKey(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  kid: string,
  now: number,
): AsyncGenerator<string[]> {
  const pages = pagesFrom(FIRST_KEY, keyOf, (after) =>
    rows.read(({ statements }) => statements.listByKey(kid, after, now, BATCH)),
  );
  for await (const page of pages) yield ownSids(page, keys);
}

/** Reads pages, each starting after the last row of the previous one. */
async function* pagesFrom<Place>(
  first: Place,
  placeOf: (row: Row) => Place,
  readAfter: (place: Place) => Promise<readonly Row[]>,
): AsyncGenerator<readonly Row[]> {
  let place = first;
  for (let found = BATCH; found === BATCH;) {
    const page = await readAfter(place);
    const last = page.at(-1);
    if (last !== undefined) place = placeOf(last);
    found = page.length;
    yield page;
  }
}

function keyOf(row: Row): string {
  return row['session_key'] ?? '';
}

/**
 * The ids of sessions of our issuer. A log that several issuers share may have sessions of another
 * issuer with the same kid or grant.
 */
function ownSids(page: readonly Row[], keys: EventKeys): string[] {
  return page
    .filter((row) => keys.hex('session', keys.ownIssuer, row['sid'] ?? '') === keyOf(row))
    .map((row) => row['sid'] ?? '');
}

/**
 * A client name in the form that sessions store.
 *
 * @throws AuthWiringError for what is no text.
 * @throws AuthException 400 `invalid_request` for a string of which nothing would be stored.
 */
export function clientOf(given: unknown, call: string): string {
  assertText(given, 'client', call);
  const client = cut(given);
  if (client !== null) return client;
  throw refusal('invalid_request', { message: 'The client is empty.' });
}

/**
 * A grant as it is stored. It is not truncated, because two grants must not become equal.
 *
 * @throws AuthWiringError for what is no text.
 * @throws AuthException 400 `invalid_request` for a string that is too long or malformed.
 */
export function grantOf(given: unknown, call: string): string {
  assertText(given, 'grant', call);
  if (isIdentifier(given)) return given;
  throw refusal('invalid_request', {
    message: 'A grant is a string of 1 to 255 well-formed characters, without NUL.',
  });
}
