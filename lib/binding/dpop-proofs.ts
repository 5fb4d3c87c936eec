import { createHmac, hash, type KeyObject } from 'node:crypto';
import { importPeer } from '../errors/auth-wiring.error.js';
import { AuthException, AuthUnauthorizedException, refusal } from '../errors/auth.exception.js';
import { ERROR_CODES } from '../errors/error-codes.js';
import type { ResolvedBinding } from '../options/binding-option.js';
import { deriveKey } from '../options/key-material.js';
import type { AuthClock } from '../platform/auth-clock.js';
import { type DpopRequest, plainUrlOf, requestUrlOf } from './client-request.js';

type Jose = typeof import('jose');

/** The longest proof that is looked at: the largest key in it has 1,100 characters. */
const LONGEST = 4_096;

/** How many proofs are remembered for each purpose; about 15 MB. */
const MOST_SEEN = 100_000;

/** The algorithms of proofs: all are asymmetric (RFC 9449 section 11.6). */
export const PROOF_ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'];

/** How long one nonce is the newest (ms); it is accepted for as long again. */
const PERIOD = 300_000;

/** Members of private and symmetric keys (RFC 7518 section 6). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** What a proof says; whether it does is still to be checked. */
interface ProofClaims {
  readonly jti?: unknown;
  readonly htm?: unknown;
  readonly htu?: unknown;
  readonly iat?: unknown;
  readonly ath?: unknown;
  readonly nonce?: unknown;
}

/** Loads the library that verifies proofs. @throws AuthWiringError when it is not installed. */
export function loadJose(): Promise<Jose> {
  return importPeer('binding.dpop', 'jose', () => import('jose'));
}

/** Verifies DPoP proofs: RFC 9449 section 4.3. */
export class DpopProofs {
  /** Of tokens that we signed. */
  private readonly seen: SeenProofs;
  /** Of logins and refreshes: anyone can send those, and must not crowd out the others. */
  private readonly seenOfStrangers: SeenProofs;

  constructor(
    private readonly jose: Jose,
    private readonly clock: AuthClock,
    private readonly options: ResolvedBinding,
    private readonly nonces: DpopNonces | undefined,
  ) {
    // From the earliest moment at which a proof is accepted to the latest.
    const life = 2 * options.proofWindow + 1_000;
    this.seen = new SeenProofs(clock, life, MOST_SEEN);
    this.seenOfStrangers = new SeenProofs(clock, life, MOST_SEEN);
  }

  /**
   * The thumbprint (RFC 7638) of the key that a request proves to have.
   *
   * @param token - The access token that the proof must be for; `undefined` at a login or a refresh.
   * @param jkt - The key that the token is bound to.
   * @throws AuthException 401 `dpop_proof_invalid`, `dpop_nonce_required` or `binding_mismatch`, 429 where
   * too many proofs are remembered.
   */
  async verify(request: DpopRequest, token?: string, jkt?: string): Promise<string> {
    try {
      return await this.verified(request, token, jkt);
    } catch (error) {
      if (error instanceof AuthException) throw error;
      throw dpopRefusal('dpop_proof_invalid', error, this.nonces?.newest());
    }
  }

  private async verified(request: DpopRequest, token?: string, jkt?: string): Promise<string> {
    const proof = proofIn(request);
    const { jwtVerify, EmbeddedJWK, calculateJwkThumbprint } = this.jose;
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      algorithms: PROOF_ALGORITHMS,
      typ: 'dpop+jwt',
      currentDate: new Date(this.clock.wall()),
    });
    const { jwk } = protectedHeader;
    if (jwk === undefined || PRIVATE.some((name) => name in jwk)) throw wrong('jwk');
    const { jti } = payload;
    if (typeof jti !== 'string' || jti === '' || jti.length > 255) throw wrong('jti');
    this.checkRequest(payload, request);
    if (token !== undefined && payload['ath'] !== hash('sha256', token, 'base64url'))
      throw wrong('ath');
    const thumbprint = await calculateJwkThumbprint(jwk, 'sha256');
    if (jkt !== undefined && thumbprint !== jkt) {
      throw dpopRefusal(
        'binding_mismatch',
        'The proof was signed with another key than the one to which the token is bound.',
      );
    }
    // Nothing waits from here on: a process that paused before would have forgotten what was used meanwhile.
    const iat = this.timeOf(payload);
    this.remember(hash('sha256', `${thumbprint}.${jti}`, 'base64'), iat, token !== undefined);
    return thumbprint;
  }

  private checkRequest({ htm, htu }: ProofClaims, request: DpopRequest): void {
    // A handshake of socket.io does not say its method, which is GET.
    if (htm !== (request.method ?? 'GET')) throw wrong('htm');
    const url = requestUrlOf(request);
    const named = typeof htu === 'string' ? plainUrlOf(htu) : undefined;
    if (url === undefined || named === undefined) throw wrong('htu');
    const { origins } = this.options;
    if (origins.length === 0) {
      if (named !== url) throw wrong('htu');
      return;
    }
    const { origin, pathname } = new URL(named);
    if (!origins.includes(origin) || pathname !== new URL(url).pathname) throw wrong('htu');
  }

  private timeOf({ iat, nonce }: ProofClaims): number {
    const time = typeof iat === 'number' ? iat : NaN;
    const age = this.clock.wall() - time * 1000;
    if (!(Math.abs(age) <= this.options.proofWindow)) throw wrong('iat');
    if (this.nonces === undefined || this.nonces.accepts(nonce)) return time;
    throw dpopRefusal(
      'dpop_nonce_required',
      'The proof has no nonce of ours.',
      this.nonces.newest(),
    );
  }

  /** At last: what is refused for another reason is not remembered. */
  private remember(id: string, iat: number, isOurs: boolean): void {
    const remembered = (isOurs ? this.seen : this.seenOfStrangers).add(id, iat);
    if (remembered === 'seen') throw new Error('The proof was used before.');
    if (remembered === 'full') {
      throw refusal('too_many_attempts', { retryAfter: this.options.proofWindow / 1000 });
    }
  }
}

/** @throws Error unless there is exactly one, and no longer than a proof can be. */
function proofIn({ headers }: DpopRequest): string {
  const proof = headers['dpop'];
  // Node joins two headers of one name.
  if (typeof proof !== 'string' || proof.includes(',')) throw new Error('There is not one proof.');
  if (proof.length > LONGEST) throw new Error('The proof is too long.');
  return proof;
}

function wrong(member: string): Error {
  return new Error(`The member "${member}" of the proof is missing or not acceptable.`);
}

/** Into how many parts the time is divided for which a proof is remembered. */
const PARTS = 4;

interface Part {
  readonly ids: Set<string>;
  /** The latest time that one of them names. */
  readonly latest: number;
}

/**
 * The proofs that were used, so that none is used twice (RFC 9449 section 11.1). Each is remembered for as
 * long as it could be accepted again. None is forgotten to make room: then a new one is refused.
 *
 * It forgets by the monotonic clock, because a wall clock may jump over that time.
 */
export class SeenProofs {
  private readonly parts = new Map<number, Part>();
  private readonly step: number;
  /** The latest time of a proof that was forgotten: once the wall clock is set back, it would be new again. */
  private forgotten = -Infinity;
  private size = 0;

  /**
   * @param life - For how long a proof is remembered (ms).
   * @param most - How many are remembered.
   */
  constructor(
    private readonly clock: Pick<AuthClock, 'monotonic'>,
    life: number,
    private readonly most: number,
  ) {
    this.step = life / PARTS;
  }

  /**
   * Remembers a proof.
   *
   * @param at - The time that it names.
   */
  add(id: string, at: number): 'new' | 'seen' | 'full' {
    const part = Math.floor(this.clock.monotonic() / this.step);
    for (const [each, { ids, latest }] of this.parts) {
      // One part more than its life: it may have come at the end of its own.
      if (each >= part - PARTS) {
        if (ids.has(id)) return 'seen';
        continue;
      }
      this.parts.delete(each);
      this.size -= ids.size;
      this.forgotten = Math.max(this.forgotten, latest);
    }
    if (at <= this.forgotten) return 'seen';
    if (this.size >= this.most) return 'full';
    const { ids, latest } = this.parts.get(part) ?? { ids: new Set(), latest: at };
    this.parts.set(part, { ids: ids.add(id), latest: Math.max(latest, at) });
    this.size++;
    return 'new';
  }
}

/**
 * The nonces that proofs must contain (RFC 9449 section 8). They follow from the time and the keys of the ring,
 * so each instance accepts those of every other, and none is stored.
 */
export class DpopNonces {
  /** @param keys - The one that signs now comes first. */
  constructor(
    private readonly keys: () => readonly KeyObject[],
    private readonly clock: Pick<AuthClock, 'wall'>,
  ) {}

  /** The newest one; `undefined` while the ring has no secret. */
  newest(): string | undefined {
    const [key] = this.keys();
    return key && nonceOf(key, this.period());
  }

  accepts(nonce: unknown): boolean {
    const now = this.period();
    // The next one too: the clock of another instance may be ahead.
    const periods = [now, now - 1, now + 1];
    return this.keys().some((key) => periods.some((period) => nonce === nonceOf(key, period)));
  }

  private period(): number {
    return Math.floor(this.clock.wall() / PERIOD);
  }
}

function nonceOf(key: KeyObject, period: number): string {
  const digest = createHmac('sha256', deriveKey(key, 'dpop-nonce')).update(String(period)).digest();
  return digest.subarray(0, 16).toString('base64url');
}

/** The codes of refusals that concern proofs, with the error of RFC 9449 section 7.1 for each. */
const ERRORS = {
  binding_mismatch: 'invalid_token',
  dpop_proof_invalid: 'invalid_dpop_proof',
  dpop_nonce_required: 'use_dpop_nonce',
} as const;

/**
 * A 401 with the challenge of DPoP.
 *
 * @param cause - What is wrong, for the log of the application; the client gets the sentence of the code.
 * @param nonce - The one to use next.
 */
export function dpopRefusal(
  code: keyof typeof ERRORS,
  cause: unknown,
  nonce?: string,
): AuthUnauthorizedException {
  const { message } = ERROR_CODES[code];
  const algs = PROOF_ALGORITHMS.join(' ');
  return new AuthUnauthorizedException(code, message, {
    cause,
    headers: {
      'WWW-Authenticate': `DPoP error="${ERRORS[code]}", error_description="${message}", algs="${algs}"`,
      ...(nonce === undefined ? {} : { 'DPoP-Nonce': nonce }),
    },
  });
}
