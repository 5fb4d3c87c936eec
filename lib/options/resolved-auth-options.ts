import type { DataSource, DataSourceOptions } from 'typeorm';
import type { KeyObject } from 'node:crypto';
import type { RevocationHint } from './revocation-hint.js';
import type { ApplicationMethod } from './application-method.js';
import type { AuthKey } from './auth-key.js';
import type { ClaimsValidator } from './auth-options.js';
import type { ClaimsLoader } from './session-settings.js';

/** The injection token of {@link ResolvedAuthOptions}: what everything but the resolver reads. */
export const RESOLVED_AUTH_OPTIONS = Symbol('nestjs-logout:resolved-auth-options');

/** The largest legal `clockTolerance` (ms); the log keeps each event for twice as long after its tokens. */
export const LARGEST_TOLERANCE = 60_000;

/** The longest `exp - iat` (ms) of a token of the passport recipe: as long as ours may be at most. */
export const LEGACY_TOKEN_LIFE = 31 * 86_400_000;

/** The tokens of the passport recipe, while they are accepted. */
export interface ResolvedLegacy {
  /** HS256, named by its secret; in no ring. */
  readonly key: AuthKey;
  /** Epoch ms, by the library's one `now`. */
  readonly until: number;
  /** Whether our own access tokens are signed with it. */
  readonly signs: boolean;
  /** Whether it is shorter than HS256 demands. */
  readonly isShort: boolean;
}

/** An issuer whose tokens `RevocationGuard` and `assertActive()` accept beside our own. */
export interface ResolvedForeignIssuer {
  readonly issuer: string;
  /** Milliseconds; a token that claims to live longer is refused. */
  readonly maxTokenLife: number;
  /** Milliseconds; for how long the end of one of its sessions is remembered. */
  readonly maxSessionLife: number;
  /** The names of the claims that identify a token and its session. */
  readonly claims: { readonly jti: string; readonly sid: string };
}

/**
 * The options after the one check: complete, frozen, every duration in milliseconds.
 */
export interface ResolvedAuthOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Asks the application for its keys and checks them; called at boot and by `KeyService.reload()`. */
  readonly loadKeys: () => Promise<readonly AuthKey[]>;
  readonly accessTokenTtl: number;
  readonly clockTolerance: number;
  readonly maxStaleness: number;
  readonly staleWait: number;
  /** Up to how much staleness the module accepts; `maxStaleness` where it is closed. */
  readonly whenStale: number;
  readonly openAcknowledgedBy: string | undefined;
  /** Epoch ms, by the library's one `now`: until then, revocations are not enforced. */
  readonly observeUntil: number | undefined;
  readonly overrideCeiling: number | undefined;
  readonly follow: boolean;
  readonly sessionTtl: number;
  readonly sessionIdleTtl: number;
  /** 0 = no refresh tokens. */
  readonly refreshTokenTtl: number;
  readonly refreshGrace: number;
  readonly refreshGraceRetries: number;
  readonly historyFor: number;
  /** By client name; `'*'`, which all others share, is always there. `undefined`: no limit. */
  readonly maxSessions: ReadonlyMap<string, number> | undefined;
  readonly claims: ClaimsLoader | undefined;
  /** Tells other instances of a logout at once; `undefined`: they poll. */
  readonly hint: RevocationHint | undefined;
  /** The longest life of any token this instance can be asked about. */
  readonly maxTokenLife: number;
  readonly legacy: ResolvedLegacy | undefined;
  /** Of the hashes in `AuthEvents`. */
  readonly subjectHashKey: KeyObject | undefined;
  readonly foreign: readonly ResolvedForeignIssuer[];
  /** Issuers whose tokens are accepted without a kid although a key of theirs was revoked. */
  readonly acceptWithoutKid: readonly string[];
  /** Claim names that look like secrets and that the application wants to sign all the same. */
  readonly allowedClaims: readonly string[];
  readonly dataSource: string | DataSource | DataSourceOptions | undefined;
  readonly migrations: 'check' | 'run';
  readonly schema: string | undefined;
  readonly tablePrefix?: string | undefined;
  readonly newLog?: boolean;
  readonly bootTimeout: number;
  readonly strategyName: string | undefined;
  readonly publicMetadataKey: string | undefined;
  readonly validate: ClaimsValidator | undefined;
  /** The classes behind `claims` and `validate`, looked up once all instances were made. */
  readonly applicationMethods: readonly ApplicationMethod[];
}
