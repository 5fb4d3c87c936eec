import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

const PASSWORD = 'correct horse battery staple';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What the health route of the quick-start says. */
export interface Health {
  readonly status: 'ok' | 'stale' | 'loading';
  /** Seconds since the last proof; `null` while there is none. */
  readonly staleness: number | null;
  readonly position: number;
  readonly entries: number;
  /** Whether push notifications arrive there. */
  readonly hint?: string;
}

/** The quick-start over HTTP, as any client calls it. Status 0 means that no answer came. */
export class QuickstartClient {
  constructor(private readonly url: string) {}

  /** The access token, or the status of the refusal. */
  async login(username: string): Promise<string | number> {
    const { status, body } = await this.send('POST', '/auth/login', undefined, {
      username,
      password: PASSWORD,
    });
    return status === 200 ? (body as { access_token: string }).access_token : status;
  }

  async me(token: string): Promise<number> {
    return (await this.send('GET', '/me', token)).status;
  }

  async logout(token: string): Promise<number> {
    return (await this.send('POST', '/auth/logout', token)).status;
  }

  async health(): Promise<Health | undefined> {
    const { status, body } = await this.send('GET', '/health');
    return status === 200 || status === 503 ? (body as Health) : undefined;
  }

  private async send(method: string, path: string, token?: string, body?: object): Promise<Answer> {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    // A connection for each: one that was idle while its server was paused is closed when that goes
    // continues, and a request that waits in it is never decided.
    const sending = request(this.url + path, { method, headers, agent: false });
    try {
      const heard = once(sending, 'response') as Promise<[IncomingMessage]>;
      sending.end(body === undefined ? undefined : JSON.stringify(body));
      const [response] = await heard;
      const content = await text(response);
      const { statusCode: status = 0 } = response;
      return { status, body: content === '' ? undefined : JSON.parse(content) };
    } catch {
      return { status: 0, body: undefined };
    }
  }
}
