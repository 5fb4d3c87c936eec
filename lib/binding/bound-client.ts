import type { AuthKey } from '../options/auth-key.js';
import { addressDigest, type BoundAddress, boundPartOf } from './bound-address.js';

/** The claim `cnf` (RFC 7800) of a bound token. */
export interface Confirmation {
  /** The thumbprint of the client's key (RFC 9449 section 6.1). */
  readonly jkt?: string;
  /** A keyed digest of the client's address. */
  readonly ip?: string;
  /** A keyed digest of the client's network. */
  readonly net?: string;
}

/** The columns of a session that bind it to its client. */
export interface BoundRow {
  /** The thumbprint of the client's key; `null`: no key; `undefined`: keep the one of the row. */
  readonly jkt: string | null | undefined;
  /** The digest of the address or network; `null`: not bound to an address. */
  readonly network: string | null;
}

/** Whether the session is bound to another key than the client has proven. */
export function isForeignKey(
  session: { readonly jkt: string | null },
  { jkt }: Pick<BoundRow, 'jkt'>,
): boolean {
  return jkt !== undefined && session.jkt !== null && session.jkt !== jkt;
}

/** The columns after a refresh. A refresh can bind a session to a key, but never unbinds it. */
export function boundRowOf(
  session: { readonly jkt: string | null },
  { jkt, network }: BoundRow,
): { readonly jkt: string | null; readonly network: string | null } {
  return { jkt: jkt ?? session.jkt, network };
}

/** The key and the address of a client at a login or refresh, to which its tokens and session are bound. */
export class BoundClient {
  /**
   * @param jkt - The thumbprint of the proven key; `null`: none; `undefined`: DPoP is off.
   * @param address - The address to bind to; `undefined`: none.
   */
  constructor(
    readonly jkt: string | null | undefined,
    private readonly address: BoundAddress | undefined,
  ) {}

  /** The claim `cnf` of a token that this key signs; `undefined` if the token is not bound. */
  confirmation(key: AuthKey): Confirmation | undefined {
    const digest = this.digest(key);
    if (digest === undefined && !this.jkt) return undefined;
    const name = this.address?.kind === 'exact' ? 'ip' : 'net';
    return {
      ...(this.jkt ? { jkt: this.jkt } : {}),
      ...(digest === undefined ? {} : { [name]: digest.toString('base64url') }),
    };
  }

  /** The columns of the session, if this key signs its token. */
  rowBy(key: AuthKey): BoundRow {
    return { jkt: this.jkt, network: this.digest(key)?.toString('hex') ?? null };
  }

  private digest({ secretHalf: key }: AuthKey): Buffer | undefined {
    if (this.address === undefined || key === null) return undefined;
    const { ip, kind } = this.address;
    const part = boundPartOf(ip, kind);
    return part === null ? undefined : addressDigest(part, kind, key);
  }
}
