import { Injectable, Logger } from '@nestjs/common';
import type { AuthKey } from '../options/auth-key.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { TokenKeys } from '../revocation/index/event-key.js';

/**
 * Tokens are found by this number of characters from the end of their signature, which no one can
 * choose without a key. Hashing the whole text for each look-up would take half a microsecond.
 */
export const TAIL = 12;

/** The most memory that the tokens may take (bytes). */
const MOST_BYTES = 16 * 2 ** 20;

/**
 * Tokens with deeper nested claims are not cached, because copying the claims could overflow the
 * stack.
 */
const MOST_LEVELS = 20;

/**
 * The most tokens that are visited to evict one, so that one request does not pay for a whole
 * sweep.
 */
const MOST_LOOKED_AT = 64;

/**
 * The approximate memory of a token besides its text and its claims (bytes): its index keys and its
 * map entry.
 */
const OVERHEAD = 512;

/**
 * A token whose signature and claims were checked. Neither changes with time, so they need not be
 * checked again. Expiry and revocation are checked at each request.
 */
export class VerifiedToken {
  /** The cached keys of the token in the revocation index. */
  readonly keys = new TokenKeys();
  /** The names of the claims that are objects or lists. */
  readonly nested: string[] = [];
  /**
   * Whether its claims are nested too deep to be copied. Then it is not cached, and its request
   * gets the original claims.
   */
  readonly isTooDeep: boolean;
  /** Whether it was used since the last search for a token to evict. */
  wasUsed = false;

  /**
   * @param claims - The claims as they were signed. Requests get copies.
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
 * A cache of verified tokens by their text, so that each process verifies a token only once. If
 * there are too many (option `verifiedTokens`), tokens that were not used recently are evicted.
 *
 * It contains no verdicts: everything that can change is checked at each request
 * (docs/requirements.md, JW-15).
 *
 * It evicts with the second-chance ("clock") algorithm: a look-up only sets a flag, and the search
 * skips a token with the flag once. An LRU list would write to six memory locations for each
 * look-up.
 */
@Injectable()
export class VerifiedTokens {
  /**
   * The tokens by the last {@link TAIL} characters of their text, in the order of the search. A
   * caller must compare the whole text, and set `wasUsed`.
   */
  readonly byTail = new Map<string, VerifiedToken>();
  /** The estimated memory of all tokens (bytes). */
  bytes = 0;
  /** {@link KeyRing.revision} of the keys that verified these tokens. */
  revision = 0;
  /** Tokens found here since the start of the process. */
  found = 0;
  /** Tokens that had to be verified and were valid. */
  verified = 0;

  private readonly logger = new Logger('JwtStrategy');
  private readonly most: number;
  /**
   * Continues where the last search ended. A Map iterator stays valid while entries are added and
   * removed.
   */
  private hand: Iterator<VerifiedToken> | undefined;
  private hasWarned = false;
  private evicted = 0;
  private foundBefore = 0;

  constructor({ verifiedTokens }: ResolvedAuthOptions) {
    this.most = verifiedTokens;
  }

  /** Adds a token, for the next requests with it. */
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

  /**
   * Removes all tokens, because the keys of the new revision may not be those that verified them.
   */
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
      // Move it to the end.
      this.byTail.set(tail, token);
      this.bytes += bytesOf(token);
    }
  }

  private remove(tail: string, token: VerifiedToken): void {
    this.byTail.delete(tail);
    this.bytes -= bytesOf(token);
  }

  /** Warns once if most tokens are evicted before they are used again. */
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

/**
 * The estimated memory of a token. The claims are parsed from a part of the text and take about
 * three times as much.
 */
function bytesOf({ text }: VerifiedToken): number {
  return 4 * text.length + OVERHEAD;
}

/** How deep objects and lists are nested. It stops at one level too many. */
function levelsOf(value: unknown, most = MOST_LEVELS + 1): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (most <= 1) return 1;
  let deepest = 0;
  for (const member of Object.values(value)) {
    deepest = Math.max(deepest, levelsOf(member, most - 1));
  }
  return 1 + deepest;
}
