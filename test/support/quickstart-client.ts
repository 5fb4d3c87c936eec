import { fetchOnce } from './fetch-once.js';

/** The password of every demo account. */
export const DEMO_PASSWORD = 'correct horse battery staple';

/** An answer with its body read: parsed where it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** What an external client can send to a quick-start, over HTTP. */
export class QuickstartClient {
  constructor(readonly url: string) {}

  /** Logs in and returns the access token. */
  async login(username = 'alice'): Promise<string> {
    const answer = await this.post('/auth/login', {
      body: { username, password: DEMO_PASSWORD },
    });
    if (answer.status === 200) return (answer.body as { access_token: string }).access_token;
    throw new Error(`login answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  /** The status of a guarded read with this token. */
  async me(token: string): Promise<number> {
    return (await this.get('/me', token)).status;
  }

  /** The status of a logout of this token. */
  async logout(token: string): Promise<number> {
    return (await this.post('/auth/logout', { token })).status;
  }

  get(path: string, token?: string): Promise<Answer> {
    return this.send(path, { headers: bearer(token) });
  }

  post(path: string, { token, body }: { token?: string; body?: unknown } = {}): Promise<Answer> {
    const json: Record<string, string> =
      body === undefined ? {} : { 'content-type': 'application/json' };
    return this.send(path, {
      method: 'POST',
      headers: { ...json, ...bearer(token) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async send(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetchOnce(this.url + path, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    const body: unknown = isJson ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, body };
  }
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
