import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { setImmediate } from 'node:timers';
import type { MonoTypeOperatorFunction, Subscription } from 'rxjs';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { LONGEST_API_TOKEN } from '../options/api-token-options.js';
import type { StalePolicy } from '../options/operation-settings.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenIdentity, VerifiedClaims } from '../options/token-claims.js';
import { AuthClock } from '../platform/auth-clock.js';
import { KID_OF_CLAIMS } from '../platform/request.js';
import { RevocationFeed } from '../revocation/feed/revocation-feed.service.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { type AddedEvent, RevocationIndex } from '../revocation/index/revocation-index.js';
import { NO_KEY, RevocationDecider } from '../revocation/revocation-decider.service.js';
import { ProofClock } from '../revocation/staleness/proof-clock.js';
import { assertDecidable, identityOf } from '../revocation/token-identity.js';
import { exceptionOf } from '../revocation/verdict.js';
import { LiveTimes } from './live-times.js';
import { iterateUntil, observeUntil, type StreamEnd } from './until-revoked.js';
import { type Ending, EndingQueue, type LiveToken, Watch, type WatchGroup } from './watch.js';
import { type Chain, CHAINS, WatchTable } from './watch-table.js';

/** How many tokens are decided in one turn of the event loop if an event affects all of them. */
const SLICE = 5_000;

/** Options of {@link LiveTokens.watch}. @publicApi */
export interface WatchOptions {
  /** Called once when the token ends. The callback must not throw. */
  readonly onEnd?: ((end: AuthException) => void) | undefined;
  /**
   * The failure policy of the connection while freshness cannot be proven; see `@WhenStale()`.
   *
   * @default the option `whenStale`
   */
  readonly whenStale?: StalePolicy | undefined;
  /**
   * The `kid` of the key that verified the token. The library knows it for claims from `TokenService` and
   * `@CurrentToken()`. Without a `kid` the connection ends when any key of its issuer is revoked.
   */
  readonly kid?: string | undefined;
  /** The token itself, if it has neither `jti` nor `sid`; see `assertActive()`. */
  readonly token?: string | undefined;
}

/** Options of {@link LiveTokens.untilRevoked}. @publicApi */
export interface UntilRevokedOptions extends Omit<WatchOptions, 'onEnd'> {
  /**
   * `'complete'`: the stream completes. A client of server-sent events then reconnects and gets a 401.
   * `'error'`: the stream fails with the exception.
   *
   * @default 'complete'
   */
  readonly end?: StreamEnd | undefined;
}

/**
 * Ends open connections when their token ends: sockets, event streams, subscriptions, long-running
 * handlers. On every instance, a watched token ends when it is revoked, when it expires, and when
 * freshness cannot be proven.
 *
 * There is no polling per connection. The index reports each revocation, and only the tokens that
 * it may affect are decided again. Specified in docs/protocol.md, "Live connections".
 *
 * @example
 * ```ts
 * const live = this.liveTokens.watch(claims, { onEnd: ({ code }) => socket.close(4401, code) });
 * socket.once('close', () => live.release());
 * ```
 * @publicApi
 */
@Injectable()
export class LiveTokens implements OnApplicationShutdown {
  private readonly table = new WatchTable<Watch>();
  private readonly groups = new Map<string, WatchGroup>();
  private readonly queue: EndingQueue;
  private readonly times: LiveTimes;
  private additions: Subscription | undefined;
  private readonly key = new Uint32Array(4);
  /** The claims of the watch that is being decided, reused so that a decision allocates nothing. */
  private readonly identity: { -readonly [Name in keyof TokenIdentity]: TokenIdentity[Name] } = {
    iss: '',
    sub: undefined,
    sid: undefined,
    jti: undefined,
    gen: undefined,
    iat: undefined,
  };

  constructor(
    private readonly index: RevocationIndex,
    private readonly keys: EventKeys,
    private readonly decider: RevocationDecider,
    private readonly proofs: ProofClock,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
    clock: AuthClock,
    feed: RevocationFeed,
  ) {
    const watched = {
      table: this.table,
      groups: this.groups,
      askAll: () => this.askFrom(1),
      end: (watch: Watch, ending: Ending) => this.end(watch, ending),
    };
    this.queue = new EndingQueue(meter);
    this.times = new LiveTimes(watched, clock, proofs, feed, decider, options);
  }

  /**
   * Watches a token until it ends or is released. Release it when the connection closes. Otherwise it stays
   * in memory until the token expires.
   *
   * A token that has already ended, even between its verification and this call, ends immediately.
   *
   * @param claims - The verified claims: from `TokenService.verify()`, `@CurrentToken()`, or your strategy.
   * @throws AuthWiringError without claims, and for a failure policy that is wider than every policy found at
   * boot.
   */
  watch(claims: VerifiedClaims, options: WatchOptions = {}): LiveToken {
    if (typeof claims !== 'object' || claims === null) {
      throw new AuthWiringError(
        'LiveTokens.watch() was called without claims.',
        'Pass what TokenService.verify() resolved to, or what @CurrentToken() gives; on a @Public() route there are none.',
      );
    }
    const kid = options.kid ?? KID_OF_CLAIMS.get(claims);
    const upTo = this.decider.toleranceOf(undefined, options.whenStale);
    const own = identityOf(claims, options.token, this.options);
    const { sub, sid, jti, iss = '' } = own;
    const group = this.groupOf(iss, kid, upTo);
    const watch = new Watch(group, sub, sid, jti, options.onEnd);
    this.register(watch, own);
    // The watch is registered before it is decided. So neither an event (L2) nor a full second is missed between
    // the verification and this call.
    this.times.start();
    if (this.isDecidable(watch, own)) this.ask(watch);
    return watch;
  }

  /**
   * An rxjs operator that ends a stream when the token ends. It watches the token during each subscription.
   *
   * @example
   * ```ts
   * @Sse('orders') orders(@CurrentToken() claims: TokenClaims): Observable<MessageEvent> {
   *   return this.changes.pipe(this.liveTokens.untilRevoked(claims));
   * }
   * ```
   */
  untilRevoked<T>(
    claims: VerifiedClaims,
    { end = 'complete', ...options }: UntilRevokedOptions = {},
  ): MonoTypeOperatorFunction<T> {
    return (source) => observeUntil(source, () => this.watch(claims, options), end);
  }

  /**
   * Wraps the AsyncIterator of a GraphQL subscription. When the token ends, it calls `return()`, even if the
   * iterator is waiting for a value that never comes. It watches the token from this call on, so an iterator that
   * is never consumed stays in memory until the token expires.
   *
   * @example
   * ```ts
   * @Subscription(() => Order) orders(@CurrentToken() claims: TokenClaims) {
   *   return this.liveTokens.iterateUntilRevoked(claims, this.pubSub.asyncIterableIterator('orders'));
   * }
   * ```
   */
  iterateUntilRevoked<T>(
    claims: VerifiedClaims,
    source: AsyncIterable<T>,
    { end = 'complete', ...options }: UntilRevokedOptions = {},
  ): AsyncIterableIterator<T> {
    return iterateUntil(source, this.watch(claims, options), end);
  }

  onApplicationShutdown(): void {
    this.times.close();
    this.unsubscribe();
  }

  private register(watch: Watch, { iss = '', gen, iat, exp = 0 }: VerifiedClaims): void {
    const { table } = this;
    table.add(watch);
    watch.group.size++;
    const byGen = gen !== undefined && iss === this.options.issuer;
    table.numbers[watch.row] = byGen ? gen : -1 - (iat ?? Number.NaN);
    this.link(watch, 'token', CHAINS.token, watch.jti);
    this.link(watch, 'session', CHAINS.session, watch.sid);
    this.link(watch, 'subject', CHAINS.subject, watch.sub);
    table.link(watch, CHAINS.expiry, this.times.secondOf(exp));
    this.additions ??= this.index.additions.subscribe(this.added);
    this.meter.watched = table.size;
  }

  private link(
    watch: Watch,
    kind: 'token' | 'session' | 'subject',
    chain: Chain,
    id: string | undefined,
  ): void {
    if (typeof id !== 'string') return;
    this.keys.write(kind, watch.group.iss, id, this.key);
    this.table.link(watch, chain, this.key[0]!);
  }

  /** A token that the log cannot decide ends immediately, and so does an expired token. */
  private isDecidable(watch: Watch, claims: VerifiedClaims): boolean {
    const { exp = 0 } = claims;
    try {
      // An opaque token may have a longer lifetime: its end is in its row.
      const isOpaque = watch.group.kid === NO_KEY;
      const options = isOpaque
        ? { ...this.options, maxTokenLife: LONGEST_API_TOKEN }
        : this.options;
      assertDecidable(claims, options, this.proofs.now(), this.proofs.latestNow());
      if (!this.times.isPast(exp)) return true;
      this.end(watch, () => refusal('token_expired'));
    } catch (error) {
      if (!(error instanceof AuthException)) throw error;
      this.end(watch, () => error);
    }
    return false;
  }

  /** L1: the key of an event selects the affected tokens. */
  private readonly added = ({ kind, key }: AddedEvent): void => {
    const { table } = this;
    if (kind === 'token') table.each(CHAINS.token, key[0]!, this.ask);
    else if (kind === 'session') table.each(CHAINS.session, key[0]!, this.ask);
    else if (kind === 'subject') table.each(CHAINS.subject, key[0]!, this.ask);
    else this.askFrom(1);
  };

  /**
   * Decides all tokens in slices, one in each turn of the event loop. A watch registered meanwhile is already
   * decided.
   */
  private askFrom(first: number): void {
    const next = this.table.some(first, SLICE, this.ask);
    if (next > 0) setImmediate(() => this.askFrom(next));
  }

  /** L1: a token ends only if the guard would refuse it. */
  private readonly ask = (watch: Watch): void => {
    const { identity } = this;
    const { group, sub, sid, jti, row } = watch;
    const number = this.table.numbers[row]!;
    identity.iss = group.iss;
    identity.sub = sub;
    identity.sid = sid;
    identity.jti = jti;
    identity.gen = number >= 0 ? number : undefined;
    identity.iat = number < 0 ? -1 - number : undefined;
    const verdict = this.decider.ending(identity, group.kid);
    if (verdict !== undefined) this.end(watch, () => exceptionOf(verdict));
  };

  /** Removes a watch at once, and queues its callbacks. */
  private end(watch: Watch, ending: Ending): void {
    this.remove(watch);
    this.queue.add(watch, ending);
  }

  private remove(watch: Watch): void {
    this.table.remove(watch);
    if (--watch.group.size === 0) this.groups.delete(watch.group.name);
    this.meter.watched = this.table.size;
    if (this.table.size > 0) return;
    this.unsubscribe();
    this.times.stop();
  }

  private unsubscribe(): void {
    this.additions?.unsubscribe();
    this.additions = undefined;
  }

  private readonly endingOf = (watch: Watch): AuthException | undefined => this.queue.find(watch);

  private readonly release = (watch: Watch): void => {
    if (watch.row !== 0) this.remove(watch);
    else this.queue.forget(watch);
  };

  private groupOf(iss: string, kid: string | undefined, upTo: number): WatchGroup {
    const name = JSON.stringify([iss, kid, upTo]);
    let group = this.groups.get(name);
    if (group === undefined) {
      const { release, endingOf } = this;
      group = { name, iss, kid, upTo, release, endingOf, size: 0 };
      this.groups.set(name, group);
    }
    return group;
  }
}
