import { fetchOnce } from './fetch-once.js';

/** The password of all users. */
export const PASSWORD = 'open sesame';

/** An answer in which differences between two calls are made equal. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: unknown;
}

/** What can be sent. */
export interface HttpRequestInit {
  readonly token?: string | undefined;
  readonly json?: unknown;
  readonly form?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: Readonly<Record<string, string>>;
}

/** Tokens of one login. */
export interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** Of the connection, the platform or the moment. */
const PASSING = new Set([
  'connection',
  'content-length',
  'date',
  'etag',
  'keep-alive',
  'set-cookie',
  'transfer-encoding',
  'x-powered-by',
]);

/** An external client with a connection to one application. */
export class HttpClient {
  constructor(readonly url: string) {}

  async send(call: string, init: HttpRequestInit = {}): Promise<HttpAnswer> {
    const [method = 'GET', path = '/'] = call.split(' ');
    const headers: Record<string, string> = { ...init.headers };
    if (init.token !== undefined) headers['authorization'] = `Bearer ${init.token}`;
    if (init.cookies !== undefined) {
      headers['cookie'] = Object.entries(init.cookies)
        .map(([name, value]) => `${name}=${value}`)
        .join('; ');
    }
    let body: string | undefined;
    if (init.json !== undefined) {
      headers['content-type'] = 'application/json';
      body = JSON.stringify(init.json);
    } else if (init.form !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      body = init.form;
    }
    const response = await fetchOnce(this.url + path, { method, headers, body: body ?? null });
    const text = await response.text();
    return {
      status: response.status,
      headers: Object.fromEntries([...response.headers].filter(([name]) => !PASSING.has(name))),
      cookies: response.headers.getSetCookie(),
      body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
    };
  }

  async login(username = 'alice', extra: object = {}): Promise<Pair> {
    const answer = await this.send('POST /auth/login', {
      json: { username, password: PASSWORD, ...extra },
    });
    if (answer.status === 200) return answer.body as Pair;
    throw new Error(`login answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  /** Logs in with cookies on, and returns the cookies by name. */
  async loginWithCookies(
    username = 'alice',
    cookies: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, string>> {
    const answer = await this.send('POST /auth/login', {
      json: { username, password: PASSWORD },
      cookies,
    });
    return cookiesOf(answer);
  }
}

/** The cookies that an answer sets, by name. */
export function cookiesOf({ cookies }: HttpAnswer): Record<string, string> {
  return Object.fromEntries(
    cookies.map((line) => {
      const pair = line.split(';', 1)[0] ?? '';
      return [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    }),
  );
}

/** An answer without what differs each time: ids, tokens, times, lifetimes with their jitter. */
export function alike(answer: HttpAnswer): HttpAnswer {
  const text = JSON.stringify(answer)
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<access>')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}/g, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/(?<![\w-])[\w-]{43}(?![\w-])/g, '<refresh>')
    .replaceAll(/(?<="(?:expires_in|exp|iat|gen|auth_time)":)\d+/g, '0');
  return JSON.parse(text) as HttpAnswer;
}
