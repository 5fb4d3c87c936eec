import { createHmac, randomUUID } from 'node:crypto';

/** What one request carries beside its path. */
export interface Credential {
  readonly header: 'authorization' | 'cookie';
  readonly value: string;
}

/** What the requests of a variant carry, one after the other, in rotation. */
export class Credentials {
  private next = 0;

  constructor(private readonly all: readonly Credential[]) {}

  static ofTokens(tokens: readonly string[]): Credentials {
    return new Credentials(
      tokens.map((token) => ({ header: 'authorization', value: `Bearer ${token}` })),
    );
  }

  take(): Credential {
    return this.all[this.next++ % this.all.length] as Credential;
  }

  /** The same ones, so many further on in the rotation. */
  ahead(by: number): Credentials {
    const copy = new Credentials(this.all);
    copy.next = by;
    return copy;
  }
}

/** So many tokens like one from a login, each of its own session and account. */
export function tokensLike(token: string, secret: string, count: number): string[] {
  const [header = '', body = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  return Array.from({ length: count }, (_, i) => {
    const own = { ...claims, sub: `stranger-${i}`, sid: randomUUID(), jti: randomUUID() };
    const text = `${header}.${Buffer.from(JSON.stringify(own)).toString('base64url')}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  });
}
