import { Injectable, Logger } from '@nestjs/common';
import type { AuthKey } from '../options/auth-key.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { TokenKeys } from '../revocation/index/event-key.js';

/**
 * Tokens are found by so many characters of their signature, which no one chooses who has no key. To hash
 * the whole text for a look-up takes half a microsecond.
 */
export const TAIL = 12;

/** The most memory that the tokens may take (bytes). */
const MOST_BYTES = 16 * 2 ** 20;

/** Claims that are nested deeper are verified each time: to copy them might take more stack than there is. */
const MOST_LEVELS = 20;

/** So many tokens at most are looked at for one that makes room: a request does not pay for a whole sweep. */
const MOST_LOOKED_AT = 64;

/** About what a token takes beside its text and its claims (bytes): its index keys, its place in the list. */
const OVERHEAD = 512;

/**
 * A token whose signature and claims were checked. Neither changes with time, so it need not be checked
 * again; whether the token is good *now* is asked at each request.
 */
export class VerifiedToken {
  /** What the index knows it by. */
  readonly keys = new TokenKeys();
  /** The names of the claims that are objects or lists. */
  readonly nested: string[] = [];
  /** Its claims cannot be copied, so it is not remembered, and its one request gets the claims themselves. */
  readonly isTooDeep: boolean;
  /** It came again since the last search for one that makes room. */
  wasUsed = false;

  /**
   * @param claims - As they were signed. They are not handed out: a request gets a copy.
   * @param until - When the key stops verifying (epoch ms); `null` while it is in use.
   */
  constructor(
    readonly text: string,
    readonly claims: TokenClaims,
    readonly key: AuthKey,
    readonly until: number | null,
  ) {
    for (const name in claims) {
      if (typeof claims[name] === 'object' && claims[name] !== null) this.nested.push(name);
    }
    this.isTooDeep = this.nested.some((name) => levelsOf(claims[name]) >= MOST_LEVELS);
  }
}

/**
 * The tokens that passport-jwt verified, by their text: each is verified once in a process, and then found
 * here. Those that were not used for long go when there are too many (option `verifiedTokens`).
 *
 * It holds no verdict: everything that can change is decided anew at each request. Rule JW-15.
 *
 * Not an LRU list: that one writes six places far from each other at each look-up, where a token here is
 * marked, and is passed over once by the search for one that makes room (second chance, "clock").
 */
@Injectable()
export class VerifiedTokens {
  /**
   * By the last {@link TAIL} characters of their text, in the order of the search. Whoever finds one
   * compares the whole text, and marks it as used.
   */
  readonly byTail = new Map<string, VerifiedToken>();
  /** The memory that they take, estimated. */
  bytes = 0;
  /** {@link KeyRing.revision} of the keys that verified these tokens. */
  revision = 0;
  /** Tokens found here since the start of the process. */
  found = 0;
  /** Tokens that had to be verified, and were good. */
  verified = 0;

  private readonly logger = new Logger('JwtStrategy');
  private readonly most: number;
  /** Goes on where the last search ended. It stays valid while tokens are added and removed. */
  private hand: Iterator<VerifiedToken> | undefined;
  private hasWarned = false;
  private evicted = 0;
  private foundBefore = 0;

  constructor({ verifiedTokens }: ResolvedAuthOptions) {
    this.most = verifiedTokens;
  }

  /** Keeps a token for the next request that brings it. */
  add(token: VerifiedToken): void {
    this.verified++;
    if (token.isTooDeep || this.most === 0) return;
    const tail = token.text.slice(-TAIL);
    const former = this.byTail.get(tail);
    if (former !== undefined) this.remove(tail, former);
    const bytes = bytesOf(token);
    while (this.byTail.size >= this.most || this.bytes + bytes > MOST_BYTES) this.makeRoom();
    this.byTail.set(tail, token);
    this.bytes += bytes;
  }

  /** Forgets all tokens: the keys of this revision may not be those that verified them. */
  clear(revision: number): void {
    this.byTail.clear();
    this.bytes = 0;
    this.hand = undefined;
    this.revision = revision;
  }

  private makeRoom(): void {
    for (let looked = 1; ; looked++) {
      this.hand ??= this.byTail.values();
      const { value: token, done } = this.hand.next();
      if (done === true) {
        this.hand = undefined;
        continue;
      }
      const tail = token.text.slice(-TAIL);
      this.remove(tail, token);
      if (!token.wasUsed || looked >= MOST_LOOKED_AT) return this.checkUse();
      token.wasUsed = false;
      // To the end.
      this.byTail.set(tail, token);
      this.bytes += bytesOf(token);
    }
  }

  private remove(tail: string, token: VerifiedToken): void {
    this.byTail.delete(tail);
    this.bytes -= bytesOf(token);
  }

  /** Warns, once, if most tokens are forgotten before they come again. */
  private checkUse(): void {
    this.evicted++;
    if (this.hasWarned || this.evicted < this.most) return;
    const found = this.found - this.foundBefore;
    if (found < this.evicted) {
      this.hasWarned = true;
      this.logger.warn(
        `The cache of verified tokens is too small: ${this.evicted} tokens were dropped for newer ones, and ` +
          `only ${found} requests had a token that was still cached. Raise the option verifiedTokens ` +
          `(now ${this.most}), or set it to 0 if each request has a new token.`,
      );
    }
    this.evicted = 0;
    this.foundBefore = this.found;
  }
}

/** The claims were read from a part of the text, and take about three times as much. */
function bytesOf({ text }: VerifiedToken): number {
  return 4 * text.length + OVERHEAD;
}

/** How deep objects and lists are nested; no further than one level too many. */
function levelsOf(value: unknown, most = MOST_LEVELS + 1): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (most <= 1) return 1;
  let deepest = 0;
  for (const member of Object.values(value)) {
    deepest = Math.max(deepest, levelsOf(member, most - 1));
  }
  return 1 + deepest;
}
