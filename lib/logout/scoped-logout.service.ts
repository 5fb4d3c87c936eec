import { Injectable } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { EventKeys, type SessionScope } from '../revocation/index/event-key.js';
import {
  type LogoutOptions,
  type LogoutReceipt,
  RevocationWriter,
} from '../revocation/revocation-writer.service.js';
import { clientOf, grantOf, sessionsOfScope } from '../sessions/session-scope.js';
import { SessionStore } from '../sessions/session-store.service.js';
import { ActIssuer } from './act-issuer.service.js';
import type { LogoutAllOptions } from './logout-options.js';

const REASON = 'logged_out_elsewhere';

/**
 * Revokes the sessions of a scope: those of one client of an account, or of one grant.
 *
 * First it commits the cut-off of the scope: an event whose key no token has, and a row that logins
 * read. Then it finds the sessions below the cut-off and revokes each with an event of its own. The
 * order matters. A login in progress either is found, or finds the cut-off ({@link overtakenBy}),
 * and a login that read its position after the cut-off is not revoked.
 */
@Injectable()
export class ScopedLogout {
  constructor(
    private readonly writer: RevocationWriter,
    private readonly store: SessionStore,
    private readonly keys: EventKeys,
    private readonly issuers: ActIssuer,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /** See {@link LogoutService.logoutAll}. */
  async logoutClient(
    subject: string,
    given: string,
    { lockFor, issuer: whose, ...options }: Omit<LogoutAllOptions, 'client'>,
  ): Promise<LogoutReceipt> {
    const call = 'logoutAll({ client })';
    const client = clientOf(given, call);
    if (lockFor !== undefined) throw locksAll();
    refuseManager(options, call);
    const issuer = await this.issuers.ofSubject(subject, whose, call);
    if (issuer !== this.options.issuer) throw noClientsOf(issuer);
    return this.end({ subject, client }, options);
  }

  /** See {@link LogoutService.logoutGrant}. */
  async logoutGrant(given: string, options: LogoutOptions): Promise<LogoutReceipt> {
    const grant = grantOf(given, 'logoutGrant()');
    refuseManager(options, 'logoutGrant()');
    return this.end({ grant }, options);
  }

  private end(scope: SessionScope, options: LogoutOptions): Promise<LogoutReceipt> {
    const { reason = REASON, actor, requestId } = options;
    const subject = 'subject' in scope ? scope.subject : undefined;
    const afterCommit = async ({ events }: LogoutReceipt): Promise<void> => {
      const cutOff = events[0]?.position ?? 0;
      // Sessions are revoked page by page. If the call is repeated after a failure, it continues
      // with the remaining ones.
      for await (const sids of sessionsOfScope(this.store, this.keys, scope, cutOff)) {
        await this.writer.endSessions(sids, { reason, actor, subject, requestId });
      }
    };
    const request = { kind: 'subject', issuer: this.options.issuer, scope } as const;
    return this.writer.end({ request, reason: REASON, afterCommit }, options);
  }
}

/** @throws AuthWiringError with `manager`. It also protects callers that do not use TypeScript. */
function refuseManager({ manager }: LogoutOptions, call: string): void {
  if (manager === undefined) return;
  throw new AuthWiringError(
    `${call} was called with { manager }: it ends sessions one by one, and can only find them all after its cut-off was committed.`,
    'Call it after the transaction, without { manager }.',
    'Or call logoutAll(subject, { manager }) in the transaction, which ends all sessions of the account.',
  );
}

function locksAll(): AuthWiringError {
  return new AuthWiringError(
    'logoutAll({ client, lockFor }) was called: a lock refuses the logins of every client. Nothing was ended.',
    'Omit lockFor, or omit client.',
  );
}

function noClientsOf(issuer: string): AuthWiringError {
  return new AuthWiringError(
    `logoutAll({ client }) was called with issuer ${JSON.stringify(issuer)}: only sessions of your own issuer have a client. Nothing was ended.`,
    'Omit client: logoutAll(subject, { issuer }) ends all tokens of the account.',
  );
}
