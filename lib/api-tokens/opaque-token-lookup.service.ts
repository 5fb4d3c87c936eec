import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { KeyRing } from '../authentication/key-ring.js';
import { OpaqueTokens } from '../authentication/opaque-tokens.js';
import type { TokenDemand } from '../authentication/token-verifier.js';
import { TAIL, VerifiedToken, VerifiedTokens } from '../authentication/verified-tokens.js';
import { judgementOf, type Judgement } from '../database/account.statements.js';
import { apiTokenOf, apiTokens } from '../database/api-token.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import { readHeadOf } from '../database/log.statements.js';
import type { Row } from '../database/statement.js';
import { refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { AuthKey } from '../options/auth-key.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { AuthClock, type CancelSchedule } from '../platform/auth-clock.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { RevocationIndex } from '../revocation/index/revocation-index.js';
import { LogConnection, unavailable } from '../revocation/log/log-connection.service.js';
import { exactFor } from '../revocation/log/retention.js';
import { NO_KEY, RevocationDecider } from '../revocation/revocation-decider.service.js';
import { type Moment, ProofClock } from '../revocation/staleness/proof-clock.js';
import { assertActive } from '../revocation/verdict.js';
import { hasCheckValueOf } from '../sessions/refresh-token.js';
import {
  LookupLane,
  OWN,
  RefreshTokenLookup,
  STRANGERS,
} from '../sessions/refresh-token-lookup.service.js';
import { SessionStore } from '../sessions/session-store.service.js';
import { apiTokenDigest, endOfToken, isApiToken, newApiToken, randomPartOf } from './api-token.js';

/** The last use of a token is recorded at most this often (ms). A token is cached for no longer than this. */
const USE_STEP = 3_600_000;

/**
 * Uses are written in one batch after this time (ms), so that a request never waits for that write.
 */
const NOTE_AFTER = 60_000;

/** An opaque token has this in place of a signing key. */
const NONE = Object.freeze({ kid: NO_KEY }) as AuthKey;

const FAILED = unavailable('The token could not be looked up. Try again.');

/** The columns of a new token's row. */
type NewToken = Pick<
  ApiToken,
  'id' | 'subject' | 'gen' | 'sid' | 'name' | 'scope' | 'claims' | 'createdAt' | 'expiresAt'
>;

/** A row as one statement read it, with everything needed to decide about its token. */
interface FoundToken {
  readonly token: ApiToken;
  readonly judgement: Judgement;
  /** The time just before that statement was sent. */
  readonly sent: Moment;
}

/** A token that was active when its row was read. */
class RememberedToken extends VerifiedToken {
  constructor(
    text: string,
    claims: TokenClaims,
    key: AuthKey,
    readonly sent: Moment,
  ) {
    super(text, claims, key, null);
  }
}

/**
 * Looks up opaque tokens and caches them. Specified in docs/protocol.md, "Opaque tokens", O1 to O3.
 *
 * A row is exact as of the moment before the statement was sent. Any later revocation of the token
 * is an event that reaches the index of this instance. The index keeps the event for longer than
 * the token is cached.
 */
@Injectable()
export class OpaqueTokenLookup extends OpaqueTokens implements BeforeApplicationShutdown {
  private readonly memory: VerifiedTokens;
  private readonly own = new LookupLane((digests) => this.look(digests), OWN);
  private readonly strangers = new LookupLane((digests) => this.look(digests), STRANGERS);
  private readonly prefix: string;
  /** How long a row is cached (ms). */
  private readonly rememberFor: number;
  private uses = new Set<string>();
  private cancel: CancelSchedule | undefined;

  constructor(
    private readonly connection: LogConnection,
    private readonly store: SessionStore,
    private readonly refreshTokens: RefreshTokenLookup,
    private readonly ring: KeyRing,
    private readonly index: RevocationIndex,
    private readonly decider: RevocationDecider,
    private readonly proofs: ProofClock,
    private readonly keys: EventKeys,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {
    super();
    this.memory = new VerifiedTokens(options);
    this.prefix = options.apiTokens?.prefix ?? '';
    this.rememberFor = Math.min(exactFor(options), USE_STEP);
  }

  override verify(
    text: string,
    demand: TokenDemand,
  ): VerifiedToken | Promise<VerifiedToken> | undefined {
    if (!text.startsWith(this.prefix)) return undefined;
    const token = this.memory.byTail.get(text.slice(-TAIL));
    if (token?.text === text && this.isExact(token)) {
      token.wasUsed = true;
      this.memory.found++;
      return token;
    }
    if (!isApiToken(text, this.prefix)) throw refusal('token_malformed');
    return this.read(text, demand);
  }

  /**
   * The row is written before the session is stored. If the login fails after that, no one has the token, and
   * the row is deleted once it has expired.
   */
  override async issue(payload: Readonly<Record<string, unknown>>, kid: string): Promise<string> {
    const { sub, sid = null, jti = '', gen = 0, iat, exp, ...claims } = payload as TokenClaims;
    const { token, row } = this.newToken({
      id: jti,
      subject: sub,
      gen,
      sid,
      name: kid,
      scope: null,
      claims: JSON.stringify(claims),
      createdAt: iat * 1000,
      expiresAt: exp * 1000,
    });
    await this.store.write(function* ({ dialect }) {
      yield apiTokens(dialect).insert(row);
    });
    return token;
  }

  /** Generates a token and its row, which is not stored yet. */
  newToken(said: NewToken): { readonly token: string; readonly row: ApiToken } {
    const token = newApiToken(this.prefix, this.refreshTokens.checkKeys()[0]);
    const row = {
      ...said,
      digest: apiTokenDigest(token),
      tokenKey: this.keys.hex('token', this.keys.ownIssuer, said.id),
      subjectKey: this.keys.hex('subject', this.keys.ownIssuer, said.subject),
      lastUsedAt: null,
      endedAt: null,
      endReason: null,
    };
    return { token, row };
  }

  /** Finds the row of a token, active or not. */
  async find(text: string): Promise<ApiToken | undefined> {
    return isApiToken(text, this.prefix) ? (await this.lookUp(text))?.token : undefined;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.cancel?.();
    await this.noteUses();
  }

  /** O2: whether the index still has every event that may have revoked the token since its row was read. */
  private isExact(token: VerifiedToken): boolean {
    const { sent } = token as RememberedToken;
    return this.proofs.since(sent) < this.rememberFor;
  }

  private async read(text: string, { allowExpired }: TokenDemand): Promise<VerifiedToken> {
    const found = await this.lookUp(text);
    if (found === undefined) throw refusal('token_invalid', { cause: 'No such opaque token.' });
    const claims = this.claimsOf(found.token);
    const token = new RememberedToken(text, claims, this.keyOf(found.token), found.sent);
    // The process was paused after the answer, so the event that revoked the token may be forgotten (O2).
    if (!this.isExact(token)) throw refusal('revocation_state_unknown', { retryAfter: 1 });
    const end = endOfToken(found.token, found.judgement);
    if (end === undefined) {
      // The token is cached first and then checked against the index, so no event is missed in between (O1).
      this.memory.add(token);
      // The access token of a session expires before its events are deleted.
      if (found.token.sid === null) {
        this.noteUse(found.token);
        this.keepEnd(found.token, claims);
      }
    } else if (!allowExpired) {
      assertActive(this.decider.ended(end, claims));
    }
    return token;
  }

  /**
   * O3: a token that this instance knows to be revoked stays revoked when the event is deleted. Usually the row
   * already shows the revocation. It does not if the database has lost the event, or if an older release wrote
   * it.
   */
  private keepEnd({ digest }: ApiToken, claims: TokenClaims): void {
    if (this.decider.isObserving) return;
    const hit = this.index.find(claims, NO_KEY, true);
    if (hit === undefined) return;
    void this.store.attempt(({ dialect }) =>
      apiTokens(dialect).end([digest], { endReason: hit.reason }),
    );
  }

  /** A digest under a key of the ring binds the access token of a session to its client. */
  private keyOf({ sid, name: kid }: ApiToken): AuthKey {
    const entry = sid === null ? undefined : this.ring.find(kid);
    return entry === undefined ? NONE : { ...entry.key, kid: NO_KEY };
  }

  private lookUp(text: string): Promise<FoundToken | undefined> {
    const random = randomPartOf(text, this.prefix);
    const isOwn = hasCheckValueOf(random, this.refreshTokens.checkKeys());
    const lane = isOwn ? this.own : this.strangers;
    return lane.find(apiTokenDigest(text)).catch(this.meter.refusedEach);
  }

  /** Reads the rows of several tokens in one statement on the primary. */
  private async look(digests: readonly string[]): Promise<ReadonlyMap<string, FoundToken>> {
    const log = await this.connection.open().catch(FAILED);
    const { database, history, id } = log;
    const { seen } = history;
    const issuerKey = this.keys.hex('issuer', this.keys.ownIssuer, '');
    const sent = this.proofs.moment();
    const statement = apiTokens(database.dialect).present(issuerKey, digests);
    const { rows } = await database.read(statement).catch(FAILED);
    // A server that is behind the last known position may show a token as it was before its revocation or its
    // issue.
    const { head, logId } = readHeadOf(rows[0], this.clock);
    if (logId !== id || history.whyLost(head, seen) !== undefined) {
      throw refusal('revocation_state_unknown', { retryAfter: 1 });
    }
    const found = rows.filter((row) => row['token_digest'] !== null);
    return new Map(found.map((row) => [apiTokenOf(row).digest, this.foundOf(row, sent)]));
  }

  private foundOf(row: Row, sent: Moment): FoundToken {
    return { token: apiTokenOf(row), judgement: judgementOf(row, this.clock), sent };
  }

  private claimsOf(token: ApiToken): TokenClaims {
    const { claims, scope, subject, sid, id, gen, createdAt, expiresAt } = token;
    const { issuer: iss, audience: aud } = this.options;
    return {
      ...(claims === null ? {} : (JSON.parse(claims) as object)),
      iss,
      aud,
      sub: subject,
      ...(sid === null ? {} : { sid }),
      jti: id,
      gen,
      iat: Math.floor(createdAt / 1000),
      exp: Math.floor(expiresAt / 1000),
      ...(scope === null ? {} : { scope }),
    };
  }

  /** Records that a token was used, at most once an hour for each token. */
  private noteUse({ digest, lastUsedAt }: ApiToken): void {
    if (lastUsedAt !== null && this.proofs.now() - lastUsedAt < USE_STEP) return;
    this.uses.add(digest);
    this.cancel ??= this.clock.schedule(NOTE_AFTER, () => void this.noteUses());
  }

  private async noteUses(): Promise<void> {
    const digests = [...this.uses].toSorted();
    this.uses = new Set();
    this.cancel = undefined;
    for (let from = 0; from < digests.length; from += OWN.batch) {
      const some = digests.slice(from, from + OWN.batch);
      await this.store.attempt(({ dialect }) => apiTokens(dialect).use(some));
    }
  }
}
