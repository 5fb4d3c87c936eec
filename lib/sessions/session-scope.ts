import { cutOffOf } from '../database/account.statements.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { sessionOf, type SessionPlace, type SessionRow } from '../database/session.statements.js';
import { refusal } from '../errors/auth.exception.js';
import { assertText, isIdentifier } from '../platform/identifier.js';
import type { EventKeys, SessionScope } from '../revocation/index/event-key.js';
import { cut } from './session-store.service.js';
import type { SessionRows } from './session-sweep.js';

/** Sessions that are read, and ended in one transaction. */
const BATCH = 500;

/** Lower than the key of any session. */
const FIRST_KEY = '0'.repeat(32);

/** The scopes that a session is in, as its row says. */
function scopesOf({ subject, client, grantId }: SessionRow): SessionScope[] {
  const scopes: SessionScope[] = [];
  if (client !== null) scopes.push({ subject, client });
  if (grantId !== null) scopes.push({ grant: grantId });
  return scopes;
}

/**
 * Why a session that was just stored must not start: a logout of its client or its grant has a position
 * above the login's. `undefined` where none has.
 *
 * It is asked once the session is committed. A logout commits its cut-off before it looks for sessions, so
 * either that finds this session, or this finds the cut-off (G1).
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
 * The ids of a scope's sessions that started below a position and have not ended, page by page.
 *
 * Names are compared here too: MariaDB takes `'tv '` for `'tv'`.
 */
export function sessionsOfScope(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  scope: SessionScope,
  below: number,
): AsyncGenerator<string[]> {
  return 'grant' in scope
    ? sessionsOfGrant(rows, keys, scope.grant, below)
    : sessionsOfClient(rows, keys, scope, below);
}

async function* sessionsOfGrant(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  grant: string,
  below: number,
): AsyncGenerator<string[]> {
  let after = FIRST_KEY;
  for (let found = BATCH; found === BATCH;) {
    const from = after;
    const page = await rows.read(({ statements }) =>
      statements.listByGrant(grant, from, below, BATCH),
    );
    found = page.length;
    after = page.at(-1)?.['session_key'] ?? after;
    yield page
      .filter(
        ({ sid, session_key: key, grant_id: id }) =>
          // A log that several issuers share may hold sessions of another one with the same grant.
          id === grant && keys.hex('session', keys.ownIssuer, sid ?? '') === key,
      )
      .map(({ sid }) => sid ?? '');
  }
}

async function* sessionsOfClient(
  rows: Pick<SessionRows, 'read'>,
  keys: EventKeys,
  { subject, client }: { readonly subject: string; readonly client: string },
  below: number,
): AsyncGenerator<string[]> {
  const subjectKey = keys.hex('subject', keys.ownIssuer, subject);
  let after: SessionPlace | undefined;
  for (let found = BATCH; found === BATCH;) {
    const from = after;
    const page = await rows.read(({ statements }) => statements.pageOpen(subjectKey, from, BATCH));
    const sessions = page.map((row) => sessionOf(row));
    found = sessions.length;
    after = sessions.at(-1);
    yield sessions
      .filter((session) => session.client === client && session.gen < below)
      .map(({ sid }) => sid);
  }
}

/**
 * The name of a client as sessions have it.
 *
 * @throws AuthWiringError for what is no text.
 * @throws AuthException 400 `invalid_request` for a text of which nothing is stored.
 */
export function clientOf(given: unknown, call: string): string {
  assertText(given, 'client', call);
  const client = cut(given);
  if (client !== null) return client;
  throw refusal('invalid_request', { message: 'The client is empty.' });
}

/**
 * A grant as it is stored. It is not cut: two grants must not become one.
 *
 * @throws AuthWiringError for what is no text.
 * @throws AuthException 400 `invalid_request` for a text that does not fit.
 */
export function grantOf(given: unknown, call: string): string {
  assertText(given, 'grant', call);
  if (isIdentifier(given)) return given;
  throw refusal('invalid_request', {
    message: 'A grant is a string of 1 to 255 well-formed characters, without NUL.',
  });
}
