import { createHmac, hash, type KeyObject } from 'node:crypto';
import { importPeer } from '../errors/auth-wiring.error.js';
import { AuthException, AuthUnauthorizedException, refusal } from '../errors/auth.exception.js';
import { ERROR_CODES } from '../errors/error-codes.js';
import type { ResolvedBinding } from '../options/binding-option.js';
import { deriveKey } from '../options/key-material.js';
import type { AuthClock } from '../platform/auth-clock.js';
import { type DpopRequest, plainUrlOf, requestUrlOf } from './client-request.js';

type Jose = typeof import('jose');

/** The longest proof that is parsed, in characters. The largest key in a proof has 1,100. */
const LONGEST = 4_096;

/** How many proofs are remembered for requests, and as many for logins and refreshes: about 15 MB each. */
const MOST_SEEN = 100_000;

/** The accepted algorithms of proofs, all asymmetric (RFC 9449 section 11.6). */
export const PROOF_ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'];

/** How long one nonce is the newest (ms). It is accepted for one more period. */
const PERIOD = 300_000;

/** Members of private and symmetric keys (RFC 7518 section 6). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** The claims of a proof, not yet checked. */
interface ProofClaims {
  readonly jti?: unknown;
  readonly htm?: unknown;
  readonly htu?: unknown;
  readonly iat?: unknown;
  readonly ath?: unknown;
  readonly nonce?: unknown;
}

/**
 * Loads the package `jose`, which verifies proofs.
 *
 * @throws AuthWiringError if it is not installed.
 */
export function loadJose(): Promise<Jose> {
  return importPeer('binding.dpop', 'jose', () => import('jose'));
}

/** Verifies DPoP proofs: RFC 9449 section 4.3. */
export class DpopProofs {
  /** The used proofs of requests with a valid token. */
  private readonly seen: SeenProofs;
  /** The used proofs of logins and refreshes. Anyone can send those, so they must not fill up `seen`. */
  private readonly seenOfStrangers: SeenProofs;

  constructor(
    private readonly jose: Jose,
    private readonly clock: AuthClock,
    private readonly options: ResolvedBinding,
    private readonly nonces: DpopNonces | undefined,
  ) {
    // A proof is accepted from one window before its time to one window after it.
    const life = 2 * options.proofWindow + 1_000;
    this.seen = new SeenProofs(clock, life, MOST_SEEN);
    this.seenOfStrangers = new SeenProofs(clock, life, MOST_SEEN);
  }

  /**
   * Verifies the proof of a request, and returns the thumbprint of its key (RFC 7638).
   *
   * @param token - The access token that the proof must contain the hash of; `undefined` at a login or a
   * refresh.
   * @param jkt - The thumbprint of the key to which the token is bound.
   * @throws AuthException 401 `dpop_proof_invalid`, `dpop_nonce_required` or `binding_mismatch`, 429
   * `too_many_attempts` if no more proofs can be remembered.
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
    // The time is checked last, with no `await` before the proof is remembered. Otherwise a pause of the
    // process in between could make it forget a proof that is still accepted.
    const iat = this.timeOf(payload);
    this.remember(hash('sha256', `${thumbprint}.${jti}`, 'base64'), iat, token !== undefined);
    return thumbprint;
  }

  private checkRequest({ htm, htu }: ProofClaims, request: DpopRequest): void {
    // A handshake of socket.io has no `method`. Its request is a GET.
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
    // Negated, so that NaN is refused too.
    if (!(Math.abs(age) <= this.options.proofWindow)) throw wrong('iat');
    if (this.nonces === undefined || this.nonces.accepts(nonce)) return time;
    throw dpopRefusal(
      'dpop_nonce_required',
      'The proof has no nonce of ours.',
      this.nonces.newest(),
    );
  }

  /** Called last, so that a proof that is refused for another reason takes no memory. */
  private remember(id: string, iat: number, isOurs: boolean): void {
    const remembered = (isOurs ? this.seen : this.seenOfStrangers).add(id, iat);
    if (remembered === 'seen') throw new Error('The proof was used before.');
    if (remembered === 'full') {
      throw refusal('too_many_attempts', { retryAfter: this.options.proofWindow / 1000 });
    }
  }
}

/** @throws Error unless there is exactly one proof, of at most {@link LONGEST} characters. */
function proofIn({ headers }: DpopRequest): string {
  const proof = headers['dpop'];
  // Node joins two headers of one name with a comma, which no proof contains.
  if (typeof proof !== 'string' || proof.includes(',')) throw new Error('There is not one proof.');
  if (proof.length > LONGEST) throw new Error('The proof is too long.');
  return proof;
}

function wrong(member: string): Error {
  return new Error(`The member "${member}" of the proof is missing or not acceptable.`);
}

/** Proofs are forgotten a quarter of their lifetime at a time: one Set is dropped, not each entry. */
const PARTS = 4;

interface Part {
  readonly ids: Set<string>;
  /** The latest `iat` of these proofs (s). */
  readonly latest: number;
}

/**
 * Remembers used proofs, so that none is accepted twice (RFC 9449 section 11.1). Each is remembered for as
 * long as its time would be accepted. If the memory is full, new proofs are refused; none is forgotten early.
 *
 * The monotonic clock decides when to forget, because a step of the wall clock must not forget a proof early.
 */
export class SeenProofs {
  private readonly parts = new Map<number, Part>();
  private readonly step: number;
  /**
   * The latest `iat` of all forgotten proofs (s). Proofs up to it are refused: if the wall clock is set back,
   * their times would be accepted again.
   */
  private forgotten = -Infinity;
  private size = 0;

  /**
   * @param life - How long a proof is remembered (ms).
   * @param most - How many proofs are remembered at most.
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
   * @param at - Its `iat` (s).
   */
  add(id: string, at: number): 'new' | 'seen' | 'full' {
    const part = Math.floor(this.clock.monotonic() / this.step);
    for (const [each, { ids, latest }] of this.parts) {
      // One part more, because a proof may have been added at the end of its part.
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
 * The nonces that proofs must contain (RFC 9449 section 8). They are computed from the time and the keys of
 * the ring, so all instances accept the same nonces, and none is stored.
 */
export class DpopNonces {
  /** @param keys - The secrets and private keys of the ring; the current signing key is first. */
  constructor(
    private readonly keys: () => readonly KeyObject[],
    private readonly clock: Pick<AuthClock, 'wall'>,
  ) {}

  /** The newest nonce; `undefined` while the ring has neither a secret nor a private key. */
  newest(): string | undefined {
    const [key] = this.keys();
    return key && nonceOf(key, this.period());
  }

  accepts(nonce: unknown): boolean {
    const now = this.period();
    // The next nonce too, because the clock of another instance may be ahead.
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

/** The `error` of the challenge (RFC 9449 section 7.1) by the code of a refusal. */
const ERRORS = {
  binding_mismatch: 'invalid_token',
  dpop_proof_invalid: 'invalid_dpop_proof',
  dpop_nonce_required: 'use_dpop_nonce',
} as const;

/**
 * A 401 with the challenge of DPoP.
 *
 * @param cause - What is wrong, for the application's log. The client only gets the message of the code.
 * @param nonce - The nonce that the client must use next.
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
