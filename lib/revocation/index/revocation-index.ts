import { Subject } from 'rxjs';
import type { LogEvent } from '../../database/entities/revocation-event.entity.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import { FOREVER } from './digest-shard.js';
import { DigestTable } from './digest-table.js';
import { type EventKeys, parseHexKey, type TokenKeys } from './event-key.js';
import { HistoryGaps } from './history-gaps.js';
import { MarkTable } from './mark.js';
import { RevokedKeys } from './revoked-keys.js';
import { NOTES, REVOKED, type RevokedVerdict } from './revoked-verdict.js';
import { type IndexStats, type PendingAt, WaitingEvents } from './waiting-events.js';

/** The slots of a table that one sweep visits: half a millisecond if all of them have expired. */
const SWEEP_SLOTS = 4096;

/** An event that was added. Its key is overwritten by the next event, so copy it to keep it. */
export interface AddedEvent extends Pick<LogEvent, 'kind'> {
  readonly key: Uint32Array;
}

/**
 * The denylist: every revocation that has not expired, in memory. Each request searches it.
 *
 * It answers synchronously. For tokens that this library issued it allocates nothing while no account has a
 * watermark. It hashes a subject or a foreign id only for a table that is not empty.
 *
 * Only expiry removes an entry, so a refused token stays refused (P6). It has no clock: callers pass the
 * time. Specified in docs/protocol.md, "Generation".
 */
export class RevocationIndex {
  private readonly tokens = new DigestTable();
  private readonly sessions = new DigestTable();
  /** Watermarks, compared with a token's `gen`. */
  private readonly subjects = new MarkTable();
  /** Watermarks that revoke access tokens but no session. */
  private readonly accessSubjects = new MarkTable();
  private readonly issuers = new MarkTable({ shardBits: 4 });
  /** The same watermarks for tokens without `gen`, compared with their `iat` (seconds). */
  private readonly subjectTimes = new MarkTable();
  private readonly issuerTimes = new MarkTable({ shardBits: 4 });
  /** Without the tables of times, whose entries would count twice. */
  private readonly tables: readonly DigestTable[];
  private readonly allTables: readonly DigestTable[];
  private readonly revokedKeys: RevokedKeys;
  private readonly waiting: WaitingEvents<RevocationIndex>;

  private readonly key = new Uint32Array(4);
  private readonly session = new Uint32Array(4);
  private readonly ownIssuerKey = new Uint32Array(4);

  /** Emits each event once it is in effect (L1). */
  readonly additions = new Subject<AddedEvent>();

  /**
   * The highest position that was added: where a jump of an older release started, which does not record it.
   */
  private highest = 0;

  /** @param gaps - The gaps of another index of the same log, to share them. */
  constructor(
    private readonly keys: EventKeys,
    readonly gaps = new HistoryGaps(),
  ) {
    this.revokedKeys = new RevokedKeys(keys);
    keys.write('issuer', keys.ownIssuer, '', this.ownIssuerKey);
    this.waiting = new WaitingEvents(() => new RevocationIndex(keys, gaps));
    const marks = [this.subjects, this.accessSubjects, this.issuers];
    this.tables = [this.tokens, this.sessions, ...marks.map(({ table }) => table)];
    this.allTables = [...this.tables, this.subjectTimes.table, this.issuerTimes.table];
  }

  /**
   * Adds an event. Adding it again, or in another order, changes nothing.
   *
   * A pending event needs `pendingAt`. It throws for an event that this release does not understand, because
   * ignoring it would accept the tokens that it revokes.
   */
  add(event: LogEvent, pendingAt?: PendingAt): void {
    this.put(event, pendingAt);
    if (this.additions.observed) this.additions.next({ kind: event.kind, key: this.key });
  }

  private put(event: LogEvent, pendingAt: PendingAt | undefined): void {
    const { kind } = event;
    if (kind === 'history') return this.addGap(event);
    this.parse(event.key, this.key, event);
    if (event.except !== null) this.parse(event.except, this.session, event);
    if (event.position === null) {
      if (pendingAt !== undefined) return this.waiting.add(event, pendingAt);
      throw new TypeError(`pending event ${event.id} came without what it counts as`);
    }
    if (this.waiting.size > 0) this.waiting.numbered(event.id);
    this.highest = Math.max(this.highest, event.position);
    const note = NOTES.get(event.reason) ?? 0;
    const untilSeconds = event.until === null ? FOREVER : toUntil(event.until);
    if (kind === 'token') this.tokens.add(this.key, untilSeconds, note);
    else if (kind === 'session') this.sessions.add(this.key, untilSeconds, note);
    else if (kind === 'key') this.revokedKeys.add(event, note);
    else if (kind === 'subject') {
      const marks = event.accessOnly ? this.accessSubjects : this.subjects;
      this.addMark(marks, this.subjectTimes, event, untilSeconds, note);
    } else if (kind === 'issuer') {
      this.addMark(this.issuers, this.issuerTimes, event, untilSeconds, note);
    } else throw new TypeError(`event ${event.id} has the unknown kind ${String(kind)}`);
  }

  /**
   * The verdict of the event that revokes a token, or `undefined` if none is known.
   *
   * The `gen` of a foreign token is ignored: it is no position of our log, and a large one would survive
   * every logout.
   *
   * @param kid - The key of the token. `null`: unknown, so it may be any key of its issuer. Without it,
   * revoked keys are ignored.
   * @param loginOnly - Ignores events that revoke access tokens only: for refresh tokens and API tokens.
   * @param kept - A cache of the token's keys. Missing keys are added to it.
   */
  find(
    identity: TokenIdentity,
    kid?: string | null,
    loginOnly = false,
    kept?: TokenKeys,
  ): RevokedVerdict | undefined {
    const hit = this.findNumbered(identity, kid, loginOnly, kept);
    if (hit !== undefined || this.waiting.size === 0) return hit;
    return this.waiting.current.find(identity, kid, loginOnly, kept);
  }

  private findNumbered(
    identity: TokenIdentity,
    kid: string | null | undefined,
    loginOnly: boolean,
    kept: TokenKeys | undefined,
  ): RevokedVerdict | undefined {
    const { iss, jti, sid, sub } = identity;
    if (kid !== undefined && this.revokedKeys.size > 0) {
      const hit = this.findKey(iss, kid);
      if (hit !== undefined) return hit;
    }
    if (jti !== undefined && this.tokens.size > 0) {
      const place = this.tokens.find(
        kept?.token ?? this.keys.of('token', iss, jti, this.key, kept),
      );
      if (place >= 0) return REVOKED.token[this.tokens.noteAt(place)];
    }
    if (sid !== undefined && this.sessions.size > 0) {
      const place = this.sessions.find(
        kept?.session ?? this.keys.of('session', iss, sid, this.key, kept),
      );
      if (place >= 0) return REVOKED.session[this.sessions.noteAt(place)];
    }
    const own = iss === this.keys.ownIssuer;
    const byGen = own && identity.gen !== undefined;
    const subjects = byGen ? this.subjects : this.subjectTimes;
    const access = byGen && !loginOnly && this.accessSubjects.table.size > 0;
    if (sub !== undefined && (subjects.table.size > 0 || access)) {
      const key = kept?.subject ?? this.keys.of('subject', iss, sub, this.key, kept);
      let note = this.judge(subjects, key, identity, byGen);
      if (note < 0 && access) note = this.judge(this.accessSubjects, key, identity, true);
      if (note >= 0) return REVOKED.subject[note];
    }
    const issuers = byGen ? this.issuers : this.issuerTimes;
    if (issuers.table.size > 0) {
      if (!own) this.keys.write('issuer', iss, '', this.key);
      const note = this.judge(issuers, own ? this.ownIssuerKey : this.key, identity, byGen);
      if (note >= 0) return REVOKED.issuer[note];
    }
    return undefined;
  }

  /** The event that revoked this signing key of an issuer, or with `null` any of its keys. */
  findKey(issuer: string, kid: string | null): RevokedVerdict | undefined {
    const note = this.revokedKeys.size > 0 ? this.revokedKeys.find(issuer, kid) : undefined;
    if (note !== undefined) return REVOKED.key[note];
    return this.waiting.size > 0 ? this.waiting.current.findKey(issuer, kid) : undefined;
  }

  /** Whether our key with this `kid` was revoked. */
  isKeyRevoked(kid: string): boolean {
    return this.findKey(this.keys.ownIssuer, kid) !== undefined;
  }

  /**
   * Starts a comparison with a reload (X3): from now on, `add` marks its entry as seen. It clears one bit of
   * each entry, which takes about 10 ms for a million.
   */
  beginReload(): void {
    for (const table of this.allTables) table.unsee();
    this.revokedKeys.unsee();
    this.waiting.unsee();
  }

  /**
   * How many live entries were not seen since `beginReload()`, compared by key. After a complete reload,
   * anything but 0 is a fork. The entries still count (H1).
   *
   * Entries expire in whole seconds, rounded up. Those in their last two seconds are skipped, because the
   * reload may have left them out.
   *
   * @param nowMs - The time by which the reload left out what had expired.
   */
  countMissing(nowMs: number): number {
    const now = Math.ceil(nowMs / 1000) + 1;
    let missing = this.revokedKeys.countUnseen();
    missing += this.waiting.countUnseen(nowMs, (event) => this.isSeen(event));
    for (const table of this.tables) missing += table.countUnseen(now);
    return missing;
  }

  /** Removes some of the expired entries and returns how many. It takes far less than a millisecond. */
  sweep(nowMs: number): number {
    const now = Math.floor(nowMs / 1000);
    let dropped = this.waiting.sweep(nowMs);
    for (const table of this.allTables) dropped += table.sweep(now, SWEEP_SLOTS);
    this.gaps.sweep(now);
    return dropped;
  }

  /** The number of entries and their memory. An account's watermarks count once. */
  stats(): IndexStats {
    const byKind = {
      token: this.tokens.size,
      session: this.sessions.size,
      subject: this.subjects.table.size + this.accessSubjects.table.size,
      key: this.revokedKeys.size,
      issuer: this.issuers.table.size,
    };
    const bytes = this.allTables.reduce((sum, table) => sum + table.byteLength, 0);
    const entries = Object.values(byKind).reduce((sum, count) => sum + count, 0);
    const stats = { entries, bytes, byKind };
    return this.waiting.size === 0 ? stats : this.waiting.addTo(stats);
  }

  /** Whether an event with the same key was seen in the same table since `beginReload()`. */
  private isSeen(event: LogEvent): boolean {
    const { kind, accessOnly } = event;
    if (kind === 'key') return this.revokedKeys.isSeen(event.key);
    this.parse(event.key, this.key, event);
    let { table } = accessOnly ? this.accessSubjects : this.subjects;
    if (kind === 'token') table = this.tokens;
    else if (kind === 'session') table = this.sessions;
    else if (kind === 'issuer') table = this.issuers.table;
    const place = table.find(this.key);
    return place >= 0 && table.isSeenAt(place);
  }

  /** Records that a load has read everything up to this position. */
  reached(position: number): void {
    this.highest = Math.max(this.highest, position);
  }

  /** A jump of an older release has no lower edge and an `until` that is too early: it is kept for ever. */
  private addGap({ position, killsBelow, until, id }: LogEvent): void {
    if (position === null) throw new TypeError(`the jump ${id} has no position`);
    const after = killsBelow ?? (this.highest < position ? this.highest : position - 1);
    const isForever = killsBelow === null || until === null;
    this.gaps.add(after, position, isForever ? FOREVER : toUntil(until));
    this.highest = Math.max(this.highest, position);
  }

  private addMark(
    positions: MarkTable,
    times: MarkTable,
    event: LogEvent,
    untilSeconds: number,
    note: number,
  ): void {
    const killsBelow = event.killsBelow ?? event.position;
    if (killsBelow === null) throw new TypeError(`event ${event.id} has no position`);
    const except = event.except === null ? undefined : this.session;
    positions.add(this.key, killsBelow, except, untilSeconds, note);
    // `iat` has no fraction of a second, so the whole second is revoked.
    const limit = event.issuedBefore === null ? 0 : Math.floor(event.issuedBefore / 1000) + 1;
    if (limit > 0) times.add(this.key, limit, except, untilSeconds, note);
  }

  private judge(
    marks: MarkTable,
    key: Uint32Array,
    { iss, sid, gen, iat }: TokenIdentity,
    byGen: boolean,
  ): number {
    const place = marks.table.find(key);
    if (place < 0) return -1;
    const value = (byGen ? this.gaps.judged(gen) : iat) ?? NaN;
    const session = sid !== undefined && marks.hasException(place) ? this.session : undefined;
    if (session !== undefined) this.keys.write('session', iss, sid as string, session);
    return marks.judge(place, value, session);
  }

  private parse(hex: string, out: Uint32Array, event: Pick<LogEvent, 'id'>): void {
    if (!parseHexKey(hex, out)) throw new TypeError(`event ${event.id} has a malformed key`);
  }
}

/** The second at which an entry expires, rounded up: an entry must not expire too early. */
function toUntil(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms / 1000), 0), FOREVER);
}
