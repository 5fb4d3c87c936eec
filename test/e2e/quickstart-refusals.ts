import { secretKid } from 'nestjs-logout';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import type { RawRequest } from '../support/raw-http.js';

/** Signs when the first has been revoked. */
export const SECOND_SECRET = 'a second secret of the tests: 32 bytes or more';
/** Of another account. */
export const OTHER_SECRET = 'a secret that nobody configured: 32 bytes';
const JSON_TYPE = ['Content-Type', 'application/json'] as const;

/** A login with this body, as it is. */
export const login = (
  body: string | Buffer,
  type: readonly [string, string] = JSON_TYPE,
): RawRequest => ({
  method: 'POST',
  path: '/auth/login',
  headers: [type],
  body,
});
/** The right words for a demo account. */
export const credentials = (username: string): string =>
  JSON.stringify({ username, password: DEMO_PASSWORD });
/** A request with a bearer token. */
export const withToken = (token: string, path = '/me', method = 'GET'): RawRequest => ({
  method,
  path,
  headers: [['Authorization', `Bearer ${token}`]],
});

/** The challenge of RFC 6750 to who sent nothing. */
export const REALM = 'Bearer realm="api"';
/** The challenge to who sent something bad. */
export const refusal = (message: string): string =>
  `${REALM}, error="invalid_token", error_description="${message}"`;
/** Epoch seconds. */
export const now = (): number => Math.floor(Date.now() / 1000);

const MISSING = 'Send username and password, both as strings, in a JSON object.';
const WRONG = 'The user name or the password is wrong.';
const NOT_JSON = 'The body is not valid JSON.';

/** Logins that are refused: name, request, status, code, message. */
export const wrongLogins: readonly [string, RawRequest, number, string, string][] = [
  ['no body at all', { method: 'POST', path: '/auth/login' }, 400, 'credentials_missing', MISSING],
  ['an empty object', login('{}'), 400, 'credentials_missing', MISSING],
  ['no password', login('{"username":"alice"}'), 400, 'credentials_missing', MISSING],
  ['numbers', login('{"username":1,"password":2}'), 400, 'credentials_missing', MISSING],
  ['empty texts', login('{"username":"","password":""}'), 400, 'credentials_missing', MISSING],
  ['an array', login('["alice"]'), 400, 'credentials_missing', MISSING],
  ['null', login('null'), 400, 'credentials_missing', MISSING],
  ['a text', login('"alice"'), 400, 'credentials_missing', MISSING],
  ['an empty body', login(''), 400, 'credentials_missing', MISSING],
  [
    'a plain text that looks like JSON',
    login(credentials('alice'), ['Content-Type', 'text/plain']),
    400,
    'credentials_missing',
    MISSING,
  ],
  [
    'a form',
    login('username=alice&password=x', ['Content-Type', 'application/x-www-form-urlencoded']),
    400,
    'credentials_missing',
    MISSING,
  ],
  [
    'an invalid content type',
    login(credentials('alice'), ['Content-Type', 'garbage']),
    400,
    'credentials_missing',
    MISSING,
  ],
  ['half an object', login('{"username":'), 400, 'invalid_request', NOT_JSON],
  ['two objects', login('{}{}'), 400, 'invalid_request', NOT_JSON],
  [
    'a wrong password',
    login('{"username":"alice","password":"x"}'),
    401,
    'credentials_invalid',
    WRONG,
  ],
  ['an unknown name', login(credentials('mallory')), 401, 'credentials_invalid', WRONG],
  [
    'bytes that are no UTF-8',
    login(Buffer.from('{"username":"\xff"}', 'latin1')),
    400,
    'credentials_missing',
    MISSING,
  ],
];

/** Reads that are refused with 401: name, request, code, message. */
export const refusedTokens: readonly [string, RawRequest, string, string][] = [
  ['no token', { path: '/me' }, 'token_missing', 'The request has no access token.'],
  [
    'another scheme',
    { headers: [['Authorization', 'Basic YTpi']] },
    'token_missing',
    'The request has no access token.',
  ],
  ['garbage', withToken('garbage'), 'token_malformed', 'The token is malformed.'],
  ['an empty token', withToken(''), 'token_malformed', 'The token is malformed.'],
  ['two blanks before it', withToken(' a.b.c'), 'token_malformed', 'The token is malformed.'],
  ['9 KB of it', withToken('a'.repeat(9 * 1024)), 'token_malformed', 'The token is malformed.'],
  [
    'one that has expired',
    withToken(mintToken({ iat: now() - 400, exp: now() - 100 })),
    'token_expired',
    'The token has expired.',
  ],
  [
    'one of a secret that is not ours',
    withToken(mintToken({}, OTHER_SECRET)),
    'token_invalid',
    'The token is not valid.',
  ],
  [
    'one with our kid and another secret',
    withToken(mintToken({}, OTHER_SECRET, { kid: secretKid(SHARED_SECRET) })),
    'token_invalid',
    'The token is not valid.',
  ],
  [
    'one of another issuer',
    withToken(mintToken({ iss: 'https://elsewhere.test' })),
    'token_invalid',
    'The token is not valid.',
  ],
  [
    'one for another audience',
    withToken(mintToken({ aud: 'elsewhere' })),
    'token_invalid',
    'The token is not valid.',
  ],
  [
    'one that is not an access token',
    withToken(mintToken({}, SHARED_SECRET, { typ: 'JWT' })),
    'token_invalid',
    'The token is not valid.',
  ],
];
