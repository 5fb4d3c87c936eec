import type { AuthKey } from '../options/auth-key.js';
import { addressDigest, type BoundAddress, boundPartOf } from './bound-address.js';

/** The claim `cnf` (RFC 7800) of a bound token. */
export interface Confirmation {
  /** The thumbprint of the client's key (RFC 9449 section 6.1). */
  readonly jkt?: string;
  /** A digest of the client's address, or of its network. */
  readonly ip?: string;
  readonly net?: string;
}

/** What the row of a session keeps of its client. */
export interface BoundRow {
  /** `undefined`: as it was. */
  readonly jkt: string | null | undefined;
  readonly network: string | null;
}

/** Whether a session is bound to another key than the one that was shown, if keys are looked at. */
export function isForeignKey(
  session: { readonly jkt: string | null },
  { jkt }: Pick<BoundRow, 'jkt'>,
): boolean {
  return jkt !== undefined && session.jkt !== null && session.jkt !== jkt;
}

/** What the row keeps after a refresh. */
export function boundRowOf(
  session: { readonly jkt: string | null },
  { jkt, network }: BoundRow,
): { readonly jkt: string | null; readonly network: string | null } {
  return { jkt: jkt ?? session.jkt, network };
}

/** What a client showed of itself at a login or a refresh; its tokens and its session are bound to it. */
export class BoundClient {
  /**
   * @param jkt - The key that it proved to have, `null` for none; `undefined` where keys are not looked at.
   * @param address - What is bound of its address.
   */
  constructor(
    readonly jkt: string | null | undefined,
    private readonly address: BoundAddress | undefined,
  ) {}

  /** The claim `cnf` of a token that this key signs; `undefined` where nothing is bound. */
  confirmation(key: AuthKey): Confirmation | undefined {
    const digest = this.digest(key);
    if (digest === undefined && !this.jkt) return undefined;
    const name = this.address?.kind === 'exact' ? 'ip' : 'net';
    return {
      ...(this.jkt ? { jkt: this.jkt } : {}),
      ...(digest === undefined ? {} : { [name]: digest.toString('base64url') }),
    };
  }

  /** What the row of the session keeps, if the token is signed by this key. */
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
