import { Inject, Injectable } from '@nestjs/common';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { EventKeys } from '../revocation/log/event-key.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { SessionStore } from '../sessions/session-store.service.js';
import { sessionsOfKey } from './sessions-of-key.js';

/** The sessions whose last access token a key has signed: what its revocation hits, and can end. */
@Injectable()
export class KeySessions {
  constructor(
    private readonly store: SessionStore,
    private readonly log: RevocationLog,
    private readonly keys: EventKeys,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  async count(kid: string): Promise<number> {
    let sessions = 0;
    for await (const sids of this.pages(kid)) sessions += sids.length;
    return sessions;
  }

  /** Batch by batch; called again after a failure it goes on with those that are left. */
  async end(kid: string, actor: string | undefined): Promise<void> {
    const { issuer } = this.options;
    for await (const sids of this.pages(kid)) {
      if (sids.length === 0) continue;
      await this.log.append(
        sids.map(
          (sid) => ({ kind: 'session', issuer, sid, reason: 'key_compromised', actor }) as const,
        ),
      );
    }
  }

  private pages(kid: string): AsyncGenerator<string[]> {
    return sessionsOfKey(this.store, this.keys, this.options.issuer, kid, this.log.databaseNow());
  }
}
