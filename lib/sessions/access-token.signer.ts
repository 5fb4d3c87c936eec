import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { KeyRing } from '../authentication/key-ring.js';
import type { Delivery } from '../database/entities/auth-session.entity.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { AuthClock } from '../platform/auth-clock.js';
import type { LogPosition } from '../revocation/log/log-positions.service.js';
import { assertSignable } from './session-claims.js';

/** Lifetimes are shortened by up to this share, so that clients that logged in together refresh apart. */
const JITTER = 0.02;

/** When a client should refresh, as a share of the token's lifetime. */
const REFRESH_AT = 0.9;

/** A signed access token and its times. */
export interface SignedAccessToken {
  readonly text: string;
  readonly kid: string;
  /** Seconds. */
  readonly expiresIn: number;
  /** Epoch ms. */
  readonly refreshAt: number;
}

/**
 * Signs the access tokens of sessions. It is the only place that makes tokens of the type `at+jwt`, or,
 * for old instances during a migration, tokens as the recipe makes them (option `legacy`).
 */
@Injectable()
export class AccessTokenSigner {
  constructor(
    private readonly keys: KeyRing,
    private readonly clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * @param since - The `gen` and the times of the token: read before its authority was checked (G1, G2).
   * @param end - The absolute end of the session (epoch ms), which no token outlives (RT-09).
   * @throws AuthWiringError for claims that look like secrets or that are the library's own.
   * @throws AuthUnavailableException `no_signing_key`.
   */
  async sign(
    subject: string,
    sessionId: string,
    claims: Readonly<Record<string, unknown>>,
    { position, now }: LogPosition,
    end: number,
  ): Promise<SignedAccessToken> {
    assertSignable(claims, this.options.allowedClaims);
    const iat = Math.floor(now / 1000);
    const life = this.options.accessTokenTtl / 1000;
    const longest = iat + life - this.clock.jitter(life * JITTER);
    const exp = Math.max(iat + 1, Math.min(longest, Math.floor(end / 1000)));
    const payload = {
      ...claims,
      sub: subject,
      sid: sessionId,
      jti: randomUUID(),
      gen: position,
      iat,
      exp,
    };
    const { text, kid } = await this.signPayload(payload, exp);
    const expiresIn = exp - iat;
    return { text, kid, expiresIn, refreshAt: (iat + expiresIn * REFRESH_AT) * 1000 };
  }

  private async signPayload(
    payload: Record<string, unknown>,
    exp: number,
  ): Promise<Pick<SignedAccessToken, 'text' | 'kid'>> {
    const { legacy } = this.keys;
    if (legacy?.signsUntil(exp * 1000) === true) {
      const { issuer: iss, audience: aud } = this.options;
      return { text: await legacy.sign({ ...payload, iss, aud }), kid: legacy.key.kid };
    }
    const key = this.keys.signingKey();
    // It adds iss, aud and kid.
    const header = { alg: key.alg, typ: 'at+jwt' };
    const text = await this.keys.jwtOf(key).signAsync(payload, { header });
    return { text, kid: key.kid };
  }
}

/** What a cookie of 4,096 bytes holds beside its name and attributes. */
const COOKIE_LIMIT = 3_900;

/**
 * Called before anything is stored or consumed: a browser silently drops a longer cookie (RFC 6265
 * section 6.1), and the client would have neither the old token nor the new one.
 *
 * @throws AuthWiringError
 */
export function assertFitsCookie(
  { text }: SignedAccessToken,
  delivery: Delivery | undefined,
): void {
  if (delivery !== 'cookie' || text.length <= COOKIE_LIMIT) return;
  throw new AuthWiringError(
    `An access token of ${text.length} characters does not fit into a cookie, which holds 4,096 with its name.`,
    'Give the token fewer claims, or switch the option http.cookies off.',
  );
}
