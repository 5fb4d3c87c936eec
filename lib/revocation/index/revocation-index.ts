import type { LogEvent, RevocationKind } from '../../database/entities/revocation-event.entity.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import { FOREVER } from './digest-shard.js';
import { DigestTable } from './digest-table.js';
import { type EventKeys, parseHexKey } from './event-key.js';
import { HistoryGaps } from './history-gaps.js';
import { MarkTable } from './mark.js';
import { RevokedKeys } from './revoked-keys.js';
import { noteOf, REVOKED, type RevokedVerdict } from './revoked-verdict.js';
import { WaitingEvents } from './waiting-events.js';

/**
 * What a pending event counts as until it is numbered: the feed knows the head of the answer that
 * carried it (protocol C2, C3).
 */
export interface PendingAt {
  /** The head of that answer + 1. */
  readonly killsBelow: number;
  /** The time of the last proof that carried it + the longest token life (epoch ms). */
  readonly until: number;
  /** The database time of that answer + the allowed skew (epoch ms), for tokens without `gen`. */
  readonly issuedBefore?: number | undefined;
}

/** How full the index is. */
export interface IndexStats {
  readonly entries: number;
  /** The bytes of the tables; exact for what they allocated, `key` events apart. */
  readonly bytes: number;
  readonly byKind: Readonly<Record<RevocationKind, number>>;
}

/** Slots that one sweep looks at in one table: half a millisecond, were all of them to go. */
const SWEEP_SLOTS = 4096;

/**
 * Every live revocation, in memory: the one thing that is asked on each request.
 *
 * It answers synchronously, without a promise and, for tokens that this library issued, without an
 * allocation while no account is marked. A table that is empty is not asked, and a subject or a foreign
 * id is hashed only for a table that is not empty.
 *
 * It is monotone (promise P6): nothing but its expiry removes an entry, so a refused token stays refused.
 * It has no clock: the time comes from the caller (protocol T1).
 *
 * Specified in docs/protocol.md, "Generation".
 */
export class RevocationIndex {
  private readonly tokens = new DigestTable();
  private readonly sessions = new DigestTable();
  /** Judged by a token's `gen`. */
  private readonly subjects = new MarkTable();
  /** Those that end access tokens and no session. */
  private readonly accessSubjects = new MarkTable();
  private readonly issuers = new MarkTable({ shardBits: 4 });
  /** The same for tokens without `gen`, judged by the second of their `iat`. */
  private readonly subjectTimes = new MarkTable();
  private readonly issuerTimes = new MarkTable({ shardBits: 4 });
  private readonly revokedKeys: RevokedKeys;
  private readonly waiting: WaitingEvents<RevocationIndex>;

  private readonly key = new Uint32Array(4);
  private readonly session = new Uint32Array(4);
  private readonly ownIssuerKey = new Uint32Array(4);

  /** The highest position that was added: where an older release's jump began, which does not say. */
  private highest = 0;

  /** @param gaps - Those of another index of the same log, which judges the same tokens. */
  constructor(
    private readonly keys: EventKeys,
    readonly gaps = new HistoryGaps(),
  ) {
    this.revokedKeys = new RevokedKeys(keys);
    keys.write('issuer', keys.ownIssuer, '', this.ownIssuerKey);
    this.waiting = new WaitingEvents(() => new RevocationIndex(keys, gaps));
  }

  /**
   * Counts an event in; again, or in another order, changes nothing.
   *
   * A pending one needs `pendingAt`. An event that cannot be understood throws: to drop it would be to
   * accept what it ends.
   */
  add(event: LogEvent, pendingAt?: PendingAt): void {
    const { kind } = event;
    if (kind === 'history') return this.addGap(event);
    this.parse(event.key, this.key, event);
    if (event.except !== null) this.parse(event.except, this.session, event);
    if (event.position === null) {
      if (pendingAt !== undefined) return this.waiting.add(event, pendingAt);
      throw new TypeError(`pending event ${event.id} came without what it counts as`);
    }
    this.waiting.numbered(event.id);
    this.highest = Math.max(this.highest, event.position);
    const note = noteOf(event.reason);
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
   * The event that ends a token, or `undefined` if none is known.
   *
   * `kid` names the token's key; `null`: the token names none, and may be of any key of its issuer.
   * Without it no key counts. A `gen` counts only on tokens of our own issuer: what a foreign issuer may
   * call by that name is no position of our log, and a large one would outlive every logout.
   *
   * With `loginOnly` the question is about a login and its refresh token: what ends access tokens only
   * does not count.
   */
  find(
    identity: TokenIdentity,
    kid?: string | null,
    loginOnly = false,
  ): RevokedVerdict | undefined {
    return (
      this.findNumbered(identity, kid, loginOnly) ??
      this.waiting.current?.find(identity, kid, loginOnly)
    );
  }

  private findNumbered(
    identity: TokenIdentity,
    kid: string | null | undefined,
    loginOnly: boolean,
  ): RevokedVerdict | undefined {
    const { iss, jti, sid, sub } = identity;
    if (kid !== undefined && this.revokedKeys.size > 0) {
      const hit = this.findKey(iss, kid);
      if (hit !== undefined) return hit;
    }
    if (jti !== undefined && this.tokens.size > 0) {
      this.keys.write('token', iss, jti, this.key);
      const place = this.tokens.find(this.key);
      if (place >= 0) return REVOKED.token[this.tokens.noteAt(place)];
    }
    if (sid !== undefined && this.sessions.size > 0) {
      this.keys.write('session', iss, sid, this.key);
      const place = this.sessions.find(this.key);
      if (place >= 0) return REVOKED.session[this.sessions.noteAt(place)];
    }
    const own = iss === this.keys.ownIssuer;
    const byGen = own && identity.gen !== undefined;
    const subjects = byGen ? this.subjects : this.subjectTimes;
    const access = byGen && !loginOnly && this.accessSubjects.size > 0;
    if (sub !== undefined && (subjects.size > 0 || access)) {
      this.keys.write('subject', iss, sub, this.key);
      let note = this.judge(subjects, this.key, identity, byGen);
      if (note < 0 && access) note = this.judge(this.accessSubjects, this.key, identity, true);
      if (note >= 0) return REVOKED.subject[note];
    }
    const issuers = byGen ? this.issuers : this.issuerTimes;
    if (issuers.size > 0) {
      if (!own) this.keys.write('issuer', iss, '', this.key);
      const note = this.judge(issuers, own ? this.ownIssuerKey : this.key, identity, byGen);
      if (note >= 0) return REVOKED.issuer[note];
    }
    return undefined;
  }

  /** The event that revoked a signing key of this issuer; `null`: any of its keys. */
  findKey(issuer: string, kid: string | null): RevokedVerdict | undefined {
    const note = this.revokedKeys.find(issuer, kid);
    return note === undefined ? this.waiting.current?.findKey(issuer, kid) : REVOKED.key[note];
  }

  /**
   * Begins a comparison with a reload (protocol X3): from now on every `add` marks its entry as told.
   * It clears one bit for each entry: some ten milliseconds for a million.
   */
  beginReload(): void {
    for (const table of this.tables()) table.unsee();
    this.revokedKeys.unsee();
    this.waiting.unsee();
  }

  /**
   * How many entries that still count at `nowMs` were not told since `beginReload()`, compared by key:
   * anything but 0 after a complete reload is a fork. They go on counting, all the same (H1).
   *
   * `nowMs` is the time by which the reload left out what had expired. Entries know their end to the
   * second, rounded up: those in their last two seconds are not asked for, or one that the reload
   * rightly left out would look lost.
   */
  countMissing(nowMs: number): number {
    const now = Math.ceil(nowMs / 1000) + 1;
    let missing =
      this.revokedKeys.countUnseen() +
      this.waiting.countUnseen(nowMs, (event) => this.isTold(event));
    // A subject's times are told with its positions: they would count it twice.
    const { tokens, sessions, subjects, accessSubjects, issuers } = this;
    for (const table of [tokens, sessions, subjects, accessSubjects, issuers]) {
      missing += table.countUnseen(now);
    }
    return missing;
  }

  /**
   * Drops some of what has expired and returns how much that was; far below a millisecond, so it may be
   * called as often as there is something to drop.
   */
  sweep(nowMs: number): number {
    const now = Math.floor(nowMs / 1000);
    let dropped = 0;
    for (const table of this.tables()) dropped += table.sweep(now, SWEEP_SLOTS);
    this.gaps.sweep(now);
    dropped += this.waiting.sweep(nowMs);
    return dropped;
  }

  /** The number of entries and what they cost. An account's marks of both sorts are one entry. */
  stats(): IndexStats {
    const byKind = {
      token: this.tokens.size,
      session: this.sessions.size,
      subject: this.subjects.size + this.accessSubjects.size,
      key: this.revokedKeys.size,
      issuer: this.issuers.size,
    };
    let bytes = 0;
    for (const table of this.tables()) bytes += table.byteLength;
    const entries = Object.values(byKind).reduce((sum, count) => sum + count, 0);
    return this.waiting.addTo({ entries, bytes, byKind });
  }

  /** Whether an event of the same key was told since `beginReload()`, in the table of this one. */
  private isTold(event: LogEvent): boolean {
    const { kind } = event;
    if (kind === 'key') return this.revokedKeys.isSeen(event.key);
    this.parse(event.key, this.key, event);
    const subjects = event.accessOnly ? this.accessSubjects : this.subjects;
    const { tokens, sessions, issuers } = this;
    const table =
      kind === 'token'
        ? tokens
        : kind === 'session'
          ? sessions
          : kind === 'issuer'
            ? issuers
            : subjects;
    const place = table.find(this.key);
    return place >= 0 && table.isSeenAt(place);
  }

  private tables(): (DigestTable | MarkTable)[] {
    const { tokens, sessions, subjects, accessSubjects, subjectTimes, issuers, issuerTimes } = this;
    return [tokens, sessions, subjects, accessSubjects, subjectTimes, issuers, issuerTimes];
  }

  /** A load reached this position; events below it that had expired were not in it. */
  reached(position: number): void {
    this.highest = Math.max(this.highest, position);
  }

  /** An older release wrote no lower edge, and kept the row for two minutes: it is never forgotten here. */
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
    const { issuedBefore } = event;
    // The whole second is refused: `iat` does not say where in its second a token was issued.
    const limit = issuedBefore === null ? 0 : Math.floor(issuedBefore / 1000) + 1;
    if (limit > 0) times.add(this.key, limit, except, untilSeconds, note);
  }

  private judge(
    marks: MarkTable,
    key: Uint32Array,
    { iss, sid, gen, iat }: TokenIdentity,
    byGen: boolean,
  ): number {
    const place = marks.find(key);
    if (place < 0) return -1;
    const value = (byGen ? this.gaps.judged(gen) : iat) ?? NaN;
    if (sid === undefined || !marks.hasException(place))
      return marks.judge(place, value, undefined);
    this.keys.write('session', iss, sid, this.session);
    return marks.judge(place, value, this.session);
  }

  private parse(hex: string, out: Uint32Array, event: Pick<LogEvent, 'id'>): void {
    if (!parseHexKey(hex, out)) throw new TypeError(`event ${event.id} has a malformed key`);
  }
}

/** Rounded up: an entry counts at least as long as it was told to. */
function toUntil(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms / 1000), 0), FOREVER);
}
