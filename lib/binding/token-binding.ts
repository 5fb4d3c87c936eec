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

/** Injected with a {@link TokenBinding}, or `null` where the option `binding` binds nothing. */
export const TOKEN_BINDING = Symbol('nestjs-logout:token-binding');

/** The keys of the ring. */
export interface BindingKeys {
  /** Secrets and private keys, the one that signs now first. */
  secretHalves(): readonly KeyObject[];
  /** That of any key that is known, whether it is in use or not. */
  secretHalfOf(kid: string): KeyObject | undefined;
}

/** A token that was verified. */
interface BoundToken {
  readonly text: string;
  readonly claims: TokenClaims;
  readonly key: AuthKey;
}

/** What is known of the client of a login or a refresh. */
interface ShownClient {
  readonly client?: string | undefined;
  readonly ip?: string | undefined;
  readonly dpop?: DpopRequest | undefined;
}

/** What the row of a session says of its client. */
type BoundSession = Pick<
  SessionRow,
  'subject' | 'sid' | 'client' | 'kid' | 'ip' | 'jkt' | 'network'
>;

/**
 * Binds tokens and sessions to the client that logged in, and refuses them from any other: the option
 * `binding` (docs/binding.md).
 */
export class TokenBinding {
  private readonly bindsAddresses: boolean;
  private readonly demandsKeys: boolean;
  /** By request, or handshake of a socket: the thumbprints of keys that it proves, each until it fails. */
  private readonly proving = new WeakMap<object, Map<string, Promise<void>>>();

  private constructor(
    private readonly options: ResolvedBinding,
    private readonly keys: BindingKeys,
    /** `undefined` where no client is bound to a key. */
    private readonly proofs: DpopProofs | undefined,
    private readonly events: Pick<AuthEvents, 'tell'>,
  ) {
    this.bindsAddresses = bindsAddresses(options);
    this.demandsKeys = demandsKeys(options);
  }

  /**
   * @returns `null` where nothing is bound.
   * @throws AuthWiringError where the package jose is missing, or the ring cannot make a digest.
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

  /** Whether a token may come as `Authorization: DPoP …`. */
  get readsDpopScheme(): boolean {
    return this.proofs !== undefined;
  }

  /** Called before anything is refused: whoever sends proofs, or must, is challenged for them. */
  noteClient(request: AuthRequest | DpopRequest): void {
    if (this.proofs === undefined) return;
    const { dpop } = request.headers;
    const isDpop = this.demandsKeys || dpop !== undefined || hasDpopScheme(request);
    if (isDpop) challengeWithDpop(request, PROOF_ALGORITHMS);
  }

  /**
   * Checks that a token comes from the client that it is bound to.
   *
   * @param request - `undefined` where the token came without one.
   * @throws AuthException 401 `binding_mismatch`, `dpop_proof_invalid` or `dpop_nonce_required`; a promise
   * only where there is a proof.
   */
  check(request: AuthRequest | undefined, token: BoundToken): void | Promise<void> {
    const refuse = (error: unknown): never => this.refuse(error, token.claims);
    try {
      return this.checkClient(request, token)?.catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

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
   * The key that the client of a login or a refresh proves to have; `undefined` where it sends no proof. Asked
   * once for each request: a proof cannot be used twice.
   *
   * @throws AuthException as {@link check}.
   * @throws AuthWiringError for what is no request of Node, Express or Fastify.
   */
  async proveKey({ dpop: request }: ShownClient): Promise<string | undefined> {
    if (request === undefined || this.proofs === undefined) return undefined;
    // The proof of a Fetch request would not be seen, and the client would get tokens that are not bound.
    assertHeaders(request);
    this.noteClient(request);
    return request.headers['dpop'] === undefined ? undefined : this.proofs.verify(request);
  }

  /**
   * What a new session is bound to.
   *
   * @param jkt - That of {@link proveKey}.
   * @throws AuthException 400 `dpop_proof_required`; 401 `binding_mismatch` where there is no address.
   */
  ofLogin({ client, ip }: ShownClient, jkt: string | undefined): BoundClient {
    const rule = this.ruleOf(client);
    return new BoundClient(this.keyBy(rule, jkt), boundAddressBy(rule, ip));
  }

  /**
   * What a session is bound to after a refresh.
   *
   * @throws AuthException as {@link ofLogin}, and 401 `refresh_token_invalid` for another key than that of the
   * session: its owner continues.
   */
  ofRefresh(session: BoundSession, { ip }: ShownClient, jkt: string | undefined): BoundClient {
    const rule = this.ruleOf(session.client ?? undefined);
    const hasKey = this.proofs !== undefined && session.jkt !== null;
    if (hasKey && jkt !== session.jkt) throw refusal('refresh_token_invalid');
    return new BoundClient(hasKey ? jkt : this.keyBy(rule, jkt), boundAddressBy(rule, ip));
  }

  /** What the client of a session proves to be with at a retry; `undefined` where it has no key. */
  retryKeyOf({ jkt }: Pick<BoundSession, 'jkt'>): string | undefined {
    return this.proofs !== undefined && jkt !== null ? `dpop:${jkt}` : undefined;
  }

  /**
   * Refuses a refresh from another address than that to which the session is bound.
   *
   * @throws AuthException 401 `binding_mismatch`.
   */
  checkAddress(session: BoundSession, { ip }: ShownClient): void {
    const { client, kid, network, ip: lastNetwork } = session;
    if (network === null || this.ruleOf(client ?? undefined).ip === 'off') return;
    if (ip === undefined) {
      this.refuse(addressMismatch(true), { sub: session.subject, sid: session.sid });
    }
    const digest = Buffer.from(network, 'hex');
    const own = this.keys.secretHalfOf(kid);
    const keys = own === undefined ? this.keys.secretHalves() : [own, ...this.keys.secretHalves()];
    if (keys.some((key) => isDigestOf(ip, digest, key))) return;
    // The key has left the ring: what is left is the coarser network that the owner sees in the list.
    if (own === undefined && lastNetwork !== null && networkOf(ip, 3, 3) === lastNetwork) return;
    this.refuse(addressMismatch(false), { sub: session.subject, sid: session.sid });
  }

  /** Reports what another client tried to use. */
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
    // Several guards or resolvers ask for one request, maybe at once. A message of a socket has no proof of its
    // own: that of the handshake counts while it is open, also for a renewed token of the same key.
    const keys = this.proving.get(opening) ?? new Map<string, Promise<void>>();
    const earlier = keys.get(jkt);
    if (earlier !== undefined) return earlier;
    // A cookie has no scheme, so its proof is enough.
    if (!isDpop && request.headers['authorization'] !== undefined) {
      throw dpopRefusal(
        'binding_mismatch',
        'The token is bound to a key, and came as a bearer token.',
      );
    }
    const proving = proofs.verify(opening, text, jkt).then(
      () => undefined,
      (error: unknown) => {
        // It may be good for another token of that key.
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

/** It is issued to no client that could have a key. */
function isApiToken({ key, claims: { sid } }: BoundToken): boolean {
  return key.kid === NO_KEY && sid === undefined;
}
