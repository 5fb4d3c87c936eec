import { Injectable } from '@nestjs/common';
import { apiTokens } from '../database/api-token.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { OpaqueIssuer } from '../sessions/opaque-issuer.js';
import { RefreshTokenLookup } from '../sessions/refresh-token-lookup.service.js';
import { SessionStore } from '../sessions/session-store.service.js';
import { apiTokenDigest, newApiToken } from './api-token.js';

/**
 * Stores the access tokens of logins (`accessTokens: 'opaque'`). The row is written before the session is
 * stored: of a login that fails after that, no one has the text, and the row goes when it has expired.
 */
@Injectable()
export class OpaqueAccessTokens extends OpaqueIssuer {
  constructor(
    private readonly store: SessionStore,
    private readonly refreshTokens: RefreshTokenLookup,
    private readonly keys: EventKeys,
    private readonly options: ResolvedAuthOptions,
  ) {
    super();
  }

  override async issue(payload: Readonly<Record<string, unknown>>, kid: string): Promise<string> {
    const { sub, sid = null, jti = '', gen = 0, iat, exp, ...claims } = payload as TokenClaims;
    const { issuer, apiTokens: on } = this.options;
    const token = newApiToken(on?.prefix ?? '', this.refreshTokens.checkKeys()[0]);
    const row: ApiToken = {
      digest: apiTokenDigest(token),
      id: jti,
      tokenKey: this.keys.hex('token', issuer, jti),
      subjectKey: this.keys.hex('subject', issuer, sub),
      subject: sub,
      gen,
      sid,
      name: kid,
      scope: null,
      claims: JSON.stringify(claims),
      createdAt: iat * 1000,
      lastUsedAt: null,
      expiresAt: exp * 1000,
      endedAt: null,
      endReason: null,
    };
    await this.store.write(function* ({ dialect }) {
      yield apiTokens(dialect).insert(row);
    });
    return token;
  }
}
