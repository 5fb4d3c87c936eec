import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { RevocationPurge } from '../revocation/log/revocation-purge.service.js';
import { SessionStore } from './session-store.service.js';
import { sessionSweep } from './sweep-sessions.js';

/** Has what is left of ended logins deleted whenever events are purged. */
@Injectable()
export class SessionPurge implements OnModuleInit {
  constructor(
    private readonly store: SessionStore,
    private readonly purge: RevocationPurge,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  onModuleInit(): void {
    this.purge.alsoPurge(sessionSweep(this.store, this.options));
  }
}
