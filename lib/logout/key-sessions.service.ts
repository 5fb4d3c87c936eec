import { Inject, Injectable } from '@nestjs/common';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationWriter } from '../revocation/revocation-writer.service.js';
import type { SessionRows } from '../sessions/session-sweep.js';
import { SessionStore } from '../sessions/session-store.service.js';

/** Sessions that are read and ended at once. */
const BATCH = 500;

/** Lower than the key of any session. */
const FIRST = '0'.repeat(32);

/**
 * The ids of an issuer's open sessions whose last access token this key has signed, page by page. Those
 * that end while the pages are read are left out.
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

/** The sessions whose last access token a key has signed: its revocation affects them, and can end them. */
@Injectable()
export class KeySessions {
  constructor(
    private readonly store: SessionStore,
    private readonly positions: LogPositions,
    private readonly writer: RevocationWriter,
    private readonly keys: EventKeys,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  async count(kid: string): Promise<number> {
    let sessions = 0;
    for await (const sids of this.pages(kid)) sessions += sids.length;
    return sessions;
  }

  /** Batch by batch; called again after a failure, it continues with those that are left. */
  async end(kid: string, actor: string | undefined): Promise<void> {
    for await (const sids of this.pages(kid)) {
      await this.writer.endSessions(sids, { reason: 'key_compromised', actor });
    }
  }

  private pages(kid: string): AsyncGenerator<string[]> {
    const now = this.positions.databaseNow();
    return sessionsOfKey(this.store, this.keys, this.options.issuer, kid, now);
  }
}
