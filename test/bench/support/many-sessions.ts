import { createSecretKey, randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { EventKeys } from '../../support/internals.js';
import {
  checkKeyOf,
  newRefreshToken,
  refreshTokenDigest,
} from '../../../lib/sessions/refresh-token.js';
import { progress } from '../progress.js';

/** Sessions of one account. */
const EACH = 10;

/** Whose database is filled, and how far. */
export interface ManySessions {
  readonly issuer: string;
  readonly secret: string;
  readonly count: number;
  /** How many accounts are known afterwards. */
  readonly sampled: number;
}

/** A session that can be used. */
export interface KnownSession {
  readonly subject: string;
  readonly sid: string;
  readonly refreshToken: string;
}

/**
 * Fills the tables of sessions and refresh tokens, by one statement each, with copies of the only session
 * that is there. Ten belong to one account. The sessions of some accounts, which are spread over the whole
 * table, can be refreshed and logged out: they are returned.
 */
export async function fillSessions(
  dataSource: DataSource,
  { issuer, secret, count, sampled }: ManySessions,
): Promise<KnownSession[][]> {
  progress(`filling in ${count.toLocaleString('en-US')} sessions`);
  const keys = new EventKeys(issuer);
  const check = checkKeyOf(createSecretKey(secret, 'utf8'));
  const step = Math.floor(count / EACH / sampled);
  const accounts = Array.from({ length: sampled }, (_, i) => {
    const subject = `account-${i * step}`;
    return Array.from({ length: EACH }, (): KnownSession => {
      return { subject, sid: randomUUID(), refreshToken: newRefreshToken(check) };
    });
  });
  const rows = accounts.flatMap((sessions, i) =>
    sessions.map(({ subject, sid, refreshToken }, place) => ({
      n: i * step * EACH + place,
      sid,
      session: keys.hex('session', issuer, sid),
      subject: keys.hex('subject', issuer, subject),
      digest: refreshTokenDigest(refreshToken),
    })),
  );
  const indexes = await dropIndexes(dataSource);
  await dataSource.query(
    'CREATE TABLE known AS SELECT n, sid, decode(session, $2) AS session, decode(subject, $2) AS subject, ' +
      'decode(digest, $2) AS digest FROM json_to_recordset($1::json) AS ' +
      't(n bigint, sid text, session text, subject text, digest text)',
    [JSON.stringify(rows), 'hex'],
  );
  const from = `FROM generate_series(0, ${count - 1}) AS g(n) LEFT JOIN known USING (n), `;
  await dataSource.query(
    'INSERT INTO auth_session (session_key, sid, subject_key, subject, gen, kid, delivery, created_at, ' +
      'last_seen_at, idle_until, expires_at) ' +
      `SELECT COALESCE(known.session, ${keyOf('session', 'n')}), COALESCE(known.sid, n::text), ` +
      `COALESCE(known.subject, ${keyOf('account', `n / ${EACH}`)}), 'account-' || n / ${EACH}, one.gen, one.kid, ` +
      'one.delivery, one.created_at - n % 100000, one.last_seen_at, one.idle_until + n % 100000, one.expires_at ' +
      `${from} (SELECT * FROM auth_session LIMIT 1) one`,
  );
  await dataSource.query(
    'INSERT INTO auth_refresh (token_digest, session_key, number, expires_at, retries) ' +
      `SELECT COALESCE(known.digest, sha256(n::text::bytea)), COALESCE(known.session, ${keyOf('session', 'n')}), ` +
      `1, one.expires_at + n % 100000, 0 ${from} (SELECT * FROM auth_refresh LIMIT 1) one`,
  );
  for (const index of indexes) await dataSource.query(index);
  for (const table of ['auth_session', 'auth_refresh']) {
    await dataSource.query(`VACUUM (ANALYZE) ${table}`);
  }
  await dataSource.query('DROP TABLE known');
  await dataSource.query('CHECKPOINT');
  return accounts;
}

/** The key of a session that no request asks for. */
function keyOf(what: string, number: string): string {
  return `decode(md5('${what}' || ${number}), 'hex')`;
}

/**
 * Filling in without indexes takes a fraction of the time; returns the statements that create them
 * again.
 */
async function dropIndexes(dataSource: DataSource): Promise<string[]> {
  const found = (await dataSource.query(
    "SELECT i.indexname AS name, i.indexdef AS sql FROM pg_indexes i WHERE i.tablename IN ('auth_session', 'auth_refresh') " +
      'AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)',
  )) as { name: string; sql: string }[];
  for (const { name } of found) await dataSource.query(`DROP INDEX ${name}`);
  return found.map(({ sql }) => sql);
}
