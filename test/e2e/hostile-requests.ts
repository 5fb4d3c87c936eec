import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import type { RawRequest } from '../support/raw-http.js';

/** A name for a failing test, and the request. */
export type HostileRequest = readonly [name: string, request: RawRequest];

const JSON_TYPE = ['Content-Type', 'application/json'] as const;

/** Names that have broken other people's databases, indexes and parsers. */
export const NAUGHTY_NAMES: readonly (readonly [name: string, username: string])[] = [
  ['NUL', '\0'],
  ['alice and NUL', 'alice\0'],
  ['a lone high surrogate', '\ud800'],
  ['alice and a lone low surrogate', 'alice\udc00'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['toString', 'toString'],
  ['hasOwnProperty', 'hasOwnProperty'],
  ['NFC', 'caf\u00e9'],
  ['NFD', 'cafe\u0301'],
  ['a trailing blank', 'alice '],
  ['a leading blank', ' alice'],
  ['another case', 'ALICE'],
  ['full width letters', '\uff41\uff4c\uff49\uff43\uff45'],
  ['a right-to-left mark', '\u202ealice'],
  ['a byte order mark', '\ufeffalice'],
  ['a zero-width joiner', 'ali\u200dce'],
  ['SQL', "alice' OR '1'='1"],
  ['a line break', 'alice\r\nSet-Cookie: a=b'],
  ['an emoji family', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'],
  ['a percent sign', '%00%ff'],
  ['a path', '../../etc/passwd'],
  ['a template', '${7*7}{{7*7}}'],
  ['255 characters', 'a'.repeat(255)],
  ['256 characters', 'a'.repeat(256)],
  ['7 KB', 'a'.repeat(7 * 1024)],
];

const login = (body: string | Buffer, type: string = JSON_TYPE[1]): RawRequest => ({
  method: 'POST',
  path: '/auth/login',
  headers: [['Content-Type', type]],
  body,
});
const bearer = (token: string, path = '/me', method = 'GET'): RawRequest => ({
  method,
  path,
  headers: [['Authorization', `Bearer ${token}`]],
});
const words = JSON.stringify({ username: 'alice', password: DEMO_PASSWORD });
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const BODIES: readonly HostileRequest[] = [
  ['deep arrays', login('['.repeat(4_000) + ']'.repeat(4_000))],
  ['deep objects', login('{"a":'.repeat(1_300) + '1' + '}'.repeat(1_300))],
  ['a prototype', login('{"__proto__":{"username":"alice","password":"x"}}')],
  ['a constructor', login('{"constructor":{"prototype":{"username":"alice"}}}')],
  ['the same member twice', login('{"username":"a","username":"b","password":"c"}')],
  ['an array for a name', login('{"username":["alice"],"password":"x"}')],
  ['an object for a name', login('{"username":{"$ne":null},"password":{"$ne":null}}')],
  ['true and false', login('{"username":true,"password":false}')],
  ['a huge number', login('{"username":1e999,"password":-1e999}')],
  ['a password of NUL', login('{"username":"alice","password":"\\u0000"}')],
  ['a password of half a pair', login('{"username":"alice","password":"\\ud83d"}')],
  ['a password of 7 KB', login(JSON.stringify({ username: 'alice', password: 'a'.repeat(7_000) }))],
  ['a byte order mark', login(`\ufeff{"username":`)],
  ['UTF-16', login(Buffer.from(words, 'utf16le'))],
  ['a single quote', login("{'username':'alice'}")],
  ['NaN', login('NaN')],
  ['a bare blank', login(' ')],
  ['NUL bytes', login(Buffer.alloc(64))],
  ['0xff bytes', login(Buffer.alloc(64, 0xff))],
  [
    'a body that is not gzip',
    { ...login(words), headers: [JSON_TYPE, ['Content-Encoding', 'gzip']] },
  ],
  ['an unknown encoding', { ...login(words), headers: [JSON_TYPE, ['Content-Encoding', 'x']] }],
  ['an unknown charset', login(Buffer.from('{"username":'), 'application/json; charset=klingon')],
  ['a charset of two words', login('{', 'application/json; charset="a b"')],
  ['an endless parameter', login('{', `application/json;${'a'.repeat(4_000)}`)],
  ['XML', login('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', 'text/xml')],
  ['a multipart without parts', login('--x--', 'multipart/form-data; boundary=x')],
  ['a multipart without a boundary', login('--x--', 'multipart/form-data')],
  ['an empty content type', login('{}', '')],
  [
    'a form of a thousand members',
    login('a=1&'.repeat(1_000), 'application/x-www-form-urlencoded'),
  ],
  ['a body with GET', { ...login('{bad'), method: 'GET', path: '/me' }],
  ['a bad body with a logout', { ...login('{bad'), path: '/auth/logout' }],
  ['a body with DELETE', { ...login('{bad'), method: 'DELETE', path: '/me' }],
];

const ADDRESSES: readonly HostileRequest[] = [
  '/%',
  '/%zz',
  '/%ff',
  '/%c0%af',
  '/%00',
  '/me%00',
  '/me%2f',
  '//me',
  '/./me',
  '/../me',
  '/me/../me',
  '/me//',
  '/me;jsessionid=1',
  '/me?',
  '/me?%',
  '/me?%zz=%zz',
  '/me?a[b][c][d][e][f][g]=1',
  '/me?__proto__[x]=1',
  '/me?constructor[prototype][x]=1',
  '/me?access_token',
  '/me?access_token[]=a&access_token[]=b',
  '/me?%61ccess_token=x',
  `/me?${'a=1&'.repeat(2_000)}`,
  `/${'a'.repeat(8_000)}`,
  '/admin/keys//revoke',
  '/admin/keys/__proto__/revoke',
  '/admin/keys/%2e%2e/revoke',
  '/admin/keys/%00/revoke',
  `/admin/keys/${'a'.repeat(5_000)}/revoke`,
  '/auth/login/',
  '/AUTH/LOGIN',
  '/health?verbose=true',
  '*',
  'http://elsewhere.test/me',
].map((path) => [`the address ${path.slice(0, 40)}`, { method: 'POST', path, body: '' }]);

const METHODS: readonly HostileRequest[] = [
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'PATCH',
  'DELETE',
  'PROPFIND',
  'SEARCH',
].map((method) => [`the method ${method}`, { method, path: '/me' }]);

const TOKENS: readonly HostileRequest[] = [
  ['three dots', bearer('...')],
  ['no header', bearer(`.${part({})}.a`)],
  ['an empty header', bearer(`${part({})}.${part({})}.a`)],
  ['a header that is an array', bearer(`${part([])}.${part({})}.a`)],
  ['a header that is null', bearer(`${part(null)}.${part({})}.a`)],
  ['a header that is not JSON', bearer(`YQ.YQ.YQ`)],
  ['alg none', bearer(`${part({ alg: 'none', typ: 'at+jwt' })}.${part({ sub: 'alice' })}.`)],
  ['alg none, signed', bearer(mintToken({}, SHARED_SECRET, { alg: 'none' }))],
  ['alg HS512', bearer(mintToken({}, SHARED_SECRET, { alg: 'HS512' }))],
  ['alg RS256', bearer(mintToken({}, SHARED_SECRET, { alg: 'RS256' }))],
  ['alg an array', bearer(mintToken({}, SHARED_SECRET, { alg: ['HS256'] }))],
  ['kid an object', bearer(mintToken({}, SHARED_SECRET, { kid: { a: 1 } }))],
  ['kid __proto__', bearer(mintToken({}, SHARED_SECRET, { kid: '__proto__' }))],
  ['kid of 5 KB', bearer(mintToken({}, SHARED_SECRET, { kid: 'a'.repeat(5_000) }))],
  ['kid a path', bearer(mintToken({}, SHARED_SECRET, { kid: '../../dev/null' }))],
  ['crit', bearer(mintToken({}, SHARED_SECRET, { crit: ['b64'], b64: false }))],
  ['jku', bearer(mintToken({}, 'x'.repeat(32), { jku: 'http://127.0.0.1:1/' }))],
  ['no sub', bearer(mintToken({ sub: undefined }))],
  ['a sub that is a number', bearer(mintToken({ sub: 7 }))],
  ['a sub that is an object', bearer(mintToken({ sub: { a: 1 } }))],
  ['a sub of NUL', bearer(mintToken({ sub: '\0' }))],
  ['a sub of half a pair', bearer(mintToken({ sub: '\ud800' }))],
  ['a sub of 256 characters', bearer(mintToken({ sub: 'a'.repeat(256) }))],
  ['no sid', bearer(mintToken({ sid: undefined }))],
  ['a sid that is empty', bearer(mintToken({ sid: '' }))],
  ['a jti that is an array', bearer(mintToken({ jti: ['a'] }))],
  ['a gen that is negative', bearer(mintToken({ gen: -1 }))],
  ['a gen that is a text', bearer(mintToken({ gen: '0' }))],
  ['a gen that is a fraction', bearer(mintToken({ gen: 0.5 }))],
  ['an exp that is a text', bearer(mintToken({ exp: '9999999999' }))],
  ['an exp beyond all time', bearer(mintToken({ exp: 1e300 }))],
  ['an exp that is missing', bearer(mintToken({ exp: undefined }))],
  ['an iat of the future', bearer(mintToken({ iat: 4e9, exp: 4e9 + 10 }))],
  ['an nbf of the future', bearer(mintToken({ nbf: 4e9 }))],
  ['a payload that is an array', bearer(`${part({ alg: 'HS256' })}.${part([])}.a`)],
  ['5 KB of dots', bearer('.'.repeat(5_000))],
  ['5 KB of blanks', { headers: [['Authorization', `Bearer${' '.repeat(5_000)}x`]] }],
  ['a tab', { headers: [['Authorization', 'Bearer\tx']] }],
  ['bytes that are no ASCII', { headers: [['Authorization', 'Bearer \u00ff\u00fe']] }],
  ['a list', { headers: [['Authorization', 'Bearer a, Bearer b']] }],
  ['no scheme', { headers: [['Authorization', '']] }],
  ['a logout with no sub', bearer(mintToken({ sub: undefined }), '/auth/logout', 'POST')],
  ['a logout with a sid of NUL', bearer(mintToken({ sid: '\0' }), '/auth/logout', 'POST')],
  ['a key revoked by alice', bearer(mintToken(), '/admin/keys/%2e/revoke', 'POST')],
];

const HEADERS: readonly HostileRequest[] = [
  ['a forged address', { headers: [['X-Forwarded-For', '1.1.1.1, \u00ff']] }],
  ['another method in a header', { method: 'POST', headers: [['X-HTTP-Method-Override', 'GET']] }],
  ['another version', { headers: [['Accept-Version', '9.9']] }],
  ['an accept header of 4 KB', { headers: [['Accept', 'a/b;q=0.1,'.repeat(400)]] }],
  ['an unknown expectation', { ...login(words), headers: [['Expect', 'wonders']] }],
  ['a hundred cookies', { headers: [['Cookie', 'a=b; '.repeat(100)]] }],
  [
    'a condition',
    {
      headers: [
        ['If-None-Match', '*'],
        ['If-Modified-Since', 'never'],
      ],
    },
  ],
  ['a range', { headers: [['Range', 'bytes=0-0,-1,999-']] }],
  [
    'an upgrade',
    {
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ],
    },
  ],
  [
    'HTTP/2 by surprise',
    {
      headers: [
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Upgrade', 'h2c'],
        ['HTTP2-Settings', 'AAMAAABk'],
      ],
    },
  ],
];

/** Bytes that are hardly HTTP at all; what counts is that nothing breaks. */
export const BROKEN_HTTP: readonly HostileRequest[] = [
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ['no host', 'GET /me HTTP/1.1\r\n\r\n'],
  ['two hosts', 'GET /me HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['HTTP/0.9', 'GET /me\r\n\r\n'],
  ['HTTP/3.0', 'GET /me HTTP/3.0\r\nHost: a\r\n\r\n'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['bare line feeds', 'GET /me HTTP/1.1\nHost: a\n\n'],
  ['a blank before the colon', 'GET /me HTTP/1.1\r\nHost : a\r\n\r\n'],
  ['a folded header', 'GET /me HTTP/1.1\r\nHost: a\r\n b\r\n\r\n'],
  ['NUL in a header', 'GET /me HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n'],
  [
    'two lengths',
    'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
  ],
  ['a negative length', 'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n'],
  [
    'a length that is a word',
    'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n',
  ],
  [
    'a length and chunks',
    'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'an invalid chunk',
    'POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  ],
  [
    'an unknown transfer',
    'POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nzz',
  ],
  ['a method that is new', 'QUERY /me HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an unknown method', 'FOO /me HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a method in lower case', 'get /me HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an address that is not ASCII', 'GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a tunnel', 'CONNECT elsewhere.test:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['20 KB of one header', `GET /me HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
  ['3,000 headers', `GET /me HTTP/1.1\r\nHost: a\r\n${'X: a\r\n'.repeat(3_000)}\r\n`],
].map(([name, raw]) => [name as string, { raw: Buffer.from(raw as string, 'latin1') }]);

/** Well-formed HTTP that no client of ours would send. */
export const HOSTILE_REQUESTS: readonly HostileRequest[] = [
  ...BODIES,
  ...ADDRESSES,
  ...METHODS,
  ...TOKENS,
  ...HEADERS,
];
