import type { KeyObject } from 'node:crypto';
import type { SessionRow } from '../database/session.statements.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthEvents } from '../events/auth-events.service.js';
import type { AuthKey } from '../options/auth-key.js';
import {
  bindsAddresses,
  bindsKeys,
  type BindingRule,
  demandsKeys,
  type ResolvedBinding,
} from '../options/binding-option.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { AuthClock } from '../platform/auth-clock.js';
import { networkOf } from '../platform/client-address.js';
import { assertHeaders, type AuthRequest, challengeWithDpop } from '../platform/request.js';
import { NO_KEY } from '../revocation/revocation-decider.service.js';
import { addressMismatch, boundAddressBy, isDigestOf } from './bound-address.js';
import { BoundClient, type Confirmation } from './bound-client.js';
import { clientAddressOf, type DpopRequest, hasDpopScheme, openingOf } from './client-request.js';
import { DpopNonces, DpopProofs, dpopRefusal, loadJose, PROOF_ALGORITHMS } from './dpop-proofs.js';

/** The injection token of {@link TokenBinding}; the value is `null` if the option `binding` is not set. */
export const TOKEN_BINDING = Symbol('nestjs-logout:token-binding');

/** The part of the key ring that bindings need. */
export interface BindingKeys {
  /** The secrets and private keys; the current signing key is first. */
  secretHalves(): readonly KeyObject[];
  /** The secret or private key with this `kid`, even if it no longer signs. */
  secretHalfOf(kid: string): KeyObject | undefined;
}

/** A verified token. */
interface BoundToken {
  readonly text: string;
  readonly claims: TokenClaims;
  readonly key: AuthKey;
}

/** What a login or a refresh knows about its client. */
interface ShownClient {
  readonly client?: string | undefined;
  readonly ip?: string | undefined;
  readonly dpop?: DpopRequest | undefined;
}

/** The columns of a session about its client. */
type BoundSession = Pick<
  SessionRow,
  'subject' | 'sid' | 'client' | 'kid' | 'ip' | 'jkt' | 'network'
>;

/**
 * Binds tokens and sessions to the client that logged in, and refuses them from any other client: the option
 * `binding` (docs/binding.md).
 */
export class TokenBinding {
  private readonly bindsAddresses: boolean;
  private readonly demandsKeys: boolean;
  /** The running and successful checks of each request or handshake, by the thumbprint of the key. */
  private readonly proving = new WeakMap<object, Map<string, Promise<void>>>();

  private constructor(
    private readonly options: ResolvedBinding,
    private readonly keys: BindingKeys,
    /** `undefined`: DPoP is off for all clients. */
    private readonly proofs: DpopProofs | undefined,
    private readonly events: Pick<AuthEvents, 'tell'>,
  ) {
    this.bindsAddresses = bindsAddresses(options);
    this.demandsKeys = demandsKeys(options);
  }

  /**
   * @returns `null` if the option is not set.
   * @throws AuthWiringError if the package `jose`, or a secret or private key that the options need, is missing.
   */
  static async create(
    { binding: options }: Pick<ResolvedAuthOptions, 'binding'>,
    keys: BindingKeys,
    clock: AuthClock,
    events: Pick<AuthEvents, 'tell'>,
  ): Promise<TokenBinding | null> {
    if (options === undefined) return null;
    const name = options.nonce ? 'nonce' : 'ip';
    if ((options.nonce || bindsAddresses(options)) && keys.secretHalves().length === 0) {
      throw new AuthWiringError(
        `The option binding.${name} needs a secret or a private key, and every key of this application is public.`,
        'Give this instance a key that signs, or omit the option.',
      );
    }
    const nonces = options.nonce ? new DpopNonces(() => keys.secretHalves(), clock) : undefined;
    const proofs = bindsKeys(options)
      ? new DpopProofs(await loadJose(), clock, options, nonces)
      : undefined;
    return new TokenBinding(options, keys, proofs, events);
  }

  /** Whether `Authorization: DPoP …` is accepted. */
  get readsDpopScheme(): boolean {
    return this.proofs !== undefined;
  }

  /** Makes refusals use the DPoP challenge, if the client sends proofs or has to. Call it before any refusal. */
  noteClient(request: AuthRequest | DpopRequest): void {
    if (this.proofs === undefined) return;
    const { dpop } = request.headers;
    const isDpop = this.demandsKeys || dpop !== undefined || hasDpopScheme(request);
    if (isDpop) challengeWithDpop(request, PROOF_ALGORITHMS);
  }

  /**
   * Checks that a token comes from the client that it is bound to.
   *
   * It returns a promise only if there is a proof to verify, so that other requests stay synchronous.
   *
   * @param request - `undefined` if the token came without a request.
   * @throws AuthException 401 `binding_mismatch`, `dpop_proof_invalid` or `dpop_nonce_required`.
   */
  check(request: AuthRequest | undefined, token: BoundToken): void | Promise<void> {
    const refuse = (error: unknown): never => this.refuse(error, token.claims);
    try {
      return this.checkClient(request, token)?.catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  /** Checks the address before the proof, because a proof that was checked is used up. */
  private checkClient(
    request: AuthRequest | undefined,
    token: BoundToken,
  ): Promise<void> | undefined {
    const { cnf } = token.claims as { readonly cnf?: Confirmation };
    const { ip, net, jkt } = cnf ?? {};
    const digest = ip ?? net;
    if (digest !== undefined && this.bindsAddresses) {
      const address = request && clientAddressOf(request);
      const key = token.key.secretHalf ?? undefined;
      const kind = ip === undefined ? 'network' : 'exact';
      const isSame =
        address !== undefined &&
        key !== undefined &&
        isDigestOf(address, Buffer.from(digest, 'base64url'), key, [kind]);
      if (!isSame) throw addressMismatch(address === undefined);
    }
    if (this.proofs === undefined) return undefined;
    const isDpop = request !== undefined && hasDpopScheme(request);
    if (jkt === undefined) {
      if (isDpop || (this.demandsKeys && !isApiToken(token))) {
        throw dpopRefusal('binding_mismatch', 'The token is bound to no key.');
      }
      return undefined;
    }
    return this.checkProof(this.proofs, request, token.text, jkt, isDpop);
  }

  /**
   * Verifies the proof of a login or a refresh, and returns the thumbprint of its key; `undefined` if the
   * request has no proof. Call it once for each request, because a proof is accepted only once.
   *
   * @throws AuthException as {@link check}.
   * @throws AuthWiringError if `dpop` is not a request of Node, Express or Fastify.
   */
  async proveKey({ dpop: request }: ShownClient): Promise<string | undefined> {
    if (request === undefined || this.proofs === undefined) return undefined;
    // A Fetch `Request` has no plain header object: its proof would be overlooked, and the tokens not bound.
    assertHeaders(request);
    this.noteClient(request);
    return request.headers['dpop'] === undefined ? undefined : this.proofs.verify(request);
  }

  /**
   * The key and address to which a new session is bound.
   *
   * @param jkt - The result of {@link proveKey}.
   * @throws AuthException 400 `dpop_proof_required`; 401 `binding_mismatch` if the address is not known.
   */
  ofLogin({ client, ip }: ShownClient, jkt: string | undefined): BoundClient {
    const rule = this.ruleOf(client);
    return new BoundClient(this.keyBy(rule, jkt), boundAddressBy(rule, ip));
  }

  /**
   * The key and address to which a session is bound after a refresh.
   *
   * @throws AuthException as {@link ofLogin}. For another key than the session's, 401
   * `refresh_token_invalid`: the token is not consumed, so the owner of the session can go on.
   */
  ofRefresh(session: BoundSession, { ip }: ShownClient, jkt: string | undefined): BoundClient {
    const rule = this.ruleOf(session.client ?? undefined);
    const hasKey = this.proofs !== undefined && session.jkt !== null;
    if (hasKey && jkt !== session.jkt) throw refusal('refresh_token_invalid');
    return new BoundClient(hasKey ? jkt : this.keyBy(rule, jkt), boundAddressBy(rule, ip));
  }

  /** What proves that a retry comes from the same client: the key of the session; `undefined` without one. */
  retryKeyOf({ jkt }: Pick<BoundSession, 'jkt'>): string | undefined {
    return this.proofs !== undefined && jkt !== null ? `dpop:${jkt}` : undefined;
  }

  /**
   * Refuses a refresh from another address than that to which the session is bound.
   *
   * @throws AuthException 401 `binding_mismatch`.
   */
  checkAddress(session: BoundSession, context: ShownClient): void {
    if (!this.isElsewhere(session, context)) return;
    const { subject: sub, sid } = session;
    this.refuse(addressMismatch(context.ip === undefined), { sub, sid });
  }

  /** Whether the client of a refresh is at another address than that to which the session is bound. */
  isElsewhere(session: BoundSession, { ip }: ShownClient): boolean {
    const { client, kid, network, ip: lastNetwork } = session;
    if (this.ruleOf(client ?? undefined).ip === 'off') return false;
    if (network === null && lastNetwork === null) return false;
    if (ip === undefined) return true;
    if (network !== null) {
      const own = this.keys.secretHalfOf(kid);
      const keys = own === undefined ? [] : [own];
      const digest = Buffer.from(network, 'hex');
      if ([...keys, ...this.keys.secretHalves()].some((key) => isDigestOf(ip, digest, key))) {
        return false;
      }
      if (own !== undefined) return true;
    }
    // Not bound yet, or the key of its digest has left the ring. Only the coarser network of its last request,
    // which the list of sessions shows, can be compared.
    return lastNetwork === null || networkOf(ip, 3, 3) !== lastNetwork;
  }

  /** Reports a use by another client to AuthEvents, and throws the error again. */
  private refuse(error: unknown, { sub, sid }: Pick<TokenClaims, 'sub' | 'sid'>): never {
    if (error instanceof AuthException && error.code === 'binding_mismatch') {
      const { code: type } = error;
      this.events.tell({ type, subject: sub, sessionId: sid, reason: type });
    }
    throw error;
  }

  private async checkProof(
    proofs: DpopProofs,
    request: AuthRequest | undefined,
    text: string,
    jkt: string,
    isDpop: boolean,
  ): Promise<void> {
    if (request === undefined) {
      throw dpopRefusal(
        'binding_mismatch',
        'The token is bound to a key, and came without a request.',
      );
    }
    const opening = openingOf(request);
    // Several guards or resolvers may check one request, but a proof is accepted only once. A message has no
    // proof: the one of the handshake is valid while the socket is open, also for a renewed token of that key.
    const keys = this.proving.get(opening) ?? new Map<string, Promise<void>>();
    const earlier = keys.get(jkt);
    if (earlier !== undefined) return earlier;
    // A token in a cookie has no scheme that could be wrong. The proof alone decides.
    if (!isDpop && request.headers['authorization'] !== undefined) {
      throw dpopRefusal(
        'binding_mismatch',
        'The token is bound to a key, and came as a bearer token.',
      );
    }
    const proving = proofs.verify(opening, text, jkt).then(
      () => undefined,
      (error: unknown) => {
        // The same proof may be valid for another token with that key, so this result is not kept.
        keys.delete(jkt);
        throw error;
      },
    );
    this.proving.set(opening, keys.set(jkt, proving));
    return proving;
  }

  private keyBy({ dpop }: BindingRule, jkt: string | undefined): string | null | undefined {
    if (this.proofs === undefined) return undefined;
    if (dpop === 'required' && jkt === undefined) throw refusal('dpop_proof_required');
    return dpop === 'off' ? null : (jkt ?? null);
  }

  private ruleOf(client: string | undefined): BindingRule {
    const { rule, clients } = this.options;
    return (client === undefined ? undefined : clients.get(client)) ?? rule;
  }
}

/** API tokens are never bound: no client is there to prove a key when one is issued. */
function isApiToken({ key, claims: { sid } }: BoundToken): boolean {
  return key.kid === NO_KEY && sid === undefined;
}
