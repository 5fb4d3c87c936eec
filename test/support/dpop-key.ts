import { generateKeyPairSync, hash, type KeyObject, randomUUID, sign } from 'node:crypto';

/** What a proof can have that differs from a valid one. */
export interface ProofChange {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Epoch ms. */
  readonly now?: number;
  /** The access token that it is for. */
  readonly token?: string;
}

/** The key of a DPoP client, which makes its proofs without the library that verifies them. */
export class DpopKey {
  readonly jwk: Readonly<Record<string, unknown>>;
  /** The thumbprint (RFC 7638). */
  readonly jkt: string;
  private readonly privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
    this.privateKey = privateKey;
    this.jwk = { kty, crv, x, y };
    this.jkt = hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url');
  }

  get privateJwk(): object {
    return this.privateKey.export({ format: 'jwk' });
  }

  proof(
    method: string,
    url: string,
    { header, claims, token, now = Date.now() }: ProofChange = {},
  ): string {
    const head = { typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk, ...header };
    const ath = token === undefined ? {} : { ath: hash('sha256', token, 'base64url') };
    const iat = Math.floor(now / 1000);
    const payload = { jti: randomUUID(), htm: method, htu: url, iat, ...ath, ...claims };
    const input = `${encode(head)}.${encode(payload)}`;
    const key = { key: this.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
