import { Injectable } from '@nestjs/common';
import { KeyRing } from '../authentication/key-ring.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { SessionStore } from '../sessions/session-store.service.js';

/**
 * Finds the issuer whose tokens a call revokes. Without foreign issuers it is our own. With them,
 * `'auth0|123'` can be an account of another issuer: an event of our issuer would revoke nothing,
 * although its receipt says so. In that case the call throws, and the application must pass
 * `issuer`.
 */
@Injectable()
export class ActIssuer {
  constructor(
    private readonly store: SessionStore,
    private readonly keys: EventKeys,
    private readonly ring: KeyRing,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * The issuer for a call on an account.
   *
   * @param call - The name of the call, for the error.
   * @throws AuthWiringError for an issuer that is not registered, and for a missing one if the
   * account is not known to be ours.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async ofSubject(subject: string, given: string | undefined, call: string): Promise<string> {
    return this.of(given, call, 'This account has no session and no row of ours', () => {
      const key = this.keys.hex('subject', this.options.issuer, subject);
      return this.store.read(({ accounts }) => accounts.findAccount(key));
    });
  }

  /** The issuer for a call on a session, by its id. */
  async ofSession(sid: string, given: string | undefined, call: string): Promise<string> {
    return this.of(given, call, 'This session has no row of ours', () => {
      const key = this.keys.hex('session', this.options.issuer, sid);
      return this.store.read(({ accounts }) => accounts.findSession(key));
    });
  }

  /** The issuer for a call on a signing key, by its kid. */
  async ofKey(kid: string, given: string | undefined, call: string): Promise<string> {
    return this.of(given, call, 'No key of ours has this kid', () =>
      Promise.resolve(this.ring.has(kid) ? [kid] : []),
    );
  }

  /**
   * The issuer for a call that allows or refuses logins, which can only be our own: this
   * application does not see the logins of another issuer.
   *
   * @throws AuthWiringError for any other.
   */
  async ofLogins(subject: string, given: string | undefined, call: string): Promise<string> {
    const { issuer } = this.options;
    if (given !== undefined && given !== issuer) {
      throw new AuthWiringError(
        `${call} was called with issuer ${JSON.stringify(given)}: the call blocks logins, and this application cannot refuse logins at another issuer.`,
        'Lock or disable the account at its issuer, and call logoutAll(subject, { issuer }) here.',
      );
    }
    return this.ofSubject(subject, given, call);
  }

  /** @throws AuthWiringError for an issuer that is neither ours nor registered. */
  assertRegistered(given: string, call: string): void {
    const { issuer, foreign } = this.options;
    if (given === issuer || foreign.some((other) => other.issuer === given)) return;
    throw new AuthWiringError(
      `${call} was called with issuer ${JSON.stringify(given)}, which is neither the option issuer nor in the option foreign. Its tokens are not accepted, so the call would end nothing.`,
      'Write the issuer exactly as in the iss claim of its tokens.',
      "Add it to AuthModule.forRoot({ foreign: [{ issuer, maxTokenLife: '1h', maxSessionLife: '30d' }] }).",
    );
  }

  private async of(
    given: string | undefined,
    call: string,
    unknown: string,
    find: () => Promise<readonly unknown[]>,
  ): Promise<string> {
    const { issuer, foreign } = this.options;
    if (given !== undefined) {
      this.assertRegistered(given, call);
      return given;
    }
    if (foreign.length === 0 || (await find()).length > 0) return issuer;
    const names = [issuer, ...foreign.map((other) => other.issuer)];
    throw new AuthWiringError(
      `${call} was called without issuer. ${unknown}, and there are foreign issuers, so the library cannot know whose tokens you mean. Nothing was ended.`,
      `Pass issuer, one of ${names.map((name) => JSON.stringify(name)).join(', ')}.`,
    );
  }
}
