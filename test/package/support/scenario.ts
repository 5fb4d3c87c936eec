import { expectEqual } from './checks.js';

/** What an answer of an application is judged by. */
export interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Calls a route, with a bearer token if one is given. */
export async function call(
  url: string,
  method: 'GET' | 'POST',
  token?: string,
  body?: object,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    body: text === '' ? {} : (JSON.parse(text) as Answer['body']),
  };
}

/** Logs in john and returns his token. */
export async function logIn(url: string): Promise<string> {
  const credentials = { username: 'john', password: 'changeme' };
  const { status, body } = await call(`${url}/auth/login`, 'POST', undefined, credentials);
  const token = body['access_token'];
  if ((status === 200 || status === 201) && typeof token === 'string') return token;
  throw new Error(`The login gave ${status}: ${JSON.stringify(body)}`);
}

/**
 * Login, profile, logout, 401; and another login of the same account must stay valid.
 *
 * @param code - What the refusal says: a session or a token has ended.
 * @param routes - Guarded routes, the first one being the profile.
 */
export async function logInReadLogOut(
  url: string,
  code: 'session_ended' | 'token_revoked',
  routes: readonly string[] = ['/profile'],
): Promise<void> {
  const wrong = { username: 'john', password: 'guess' };
  expectEqual(
    'wrong password',
    (await call(`${url}/auth/login`, 'POST', undefined, wrong)).status,
    401,
  );
  expectEqual('no token', (await call(`${url}/profile`, 'GET')).status, 401);
  const [phone, laptop] = [await logIn(url), await logIn(url)];
  for (const route of routes) {
    expectEqual(`${route} when logged in`, (await call(url + route, 'GET', phone)).status, 200);
  }
  const profile = await call(`${url}/profile`, 'GET', phone);
  expectEqual('the name in the profile', profile.body['username'], 'john');

  const logout = await call(`${url}/auth/logout`, 'POST', phone);
  expectEqual('the logout succeeds', logout.status >= 200 && logout.status < 300, true);
  for (const route of routes) {
    const refused = await call(url + route, 'GET', phone);
    expectEqual(`${route} after the logout`, refused.status, 401);
    expectEqual('the code of the refusal', refused.body['code'], code);
    expectEqual('a challenge', refused.challenge?.startsWith('Bearer '), true);
  }
  expectEqual('the other device', (await call(`${url}/profile`, 'GET', laptop)).status, 200);
}
