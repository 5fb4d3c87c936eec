import type { Mutation } from './mutation.js';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return {
    name: `transports: ${name}`,
    edits: [{ file, find, replace }],
    tests: `transports/${tests}`,
  };
}

const REQUEST = 'platform/message-request';
const HANDSHAKE = 'platform/handshake';
const REFUSAL = 'platform/transport-refusal';

/** Guards behind gateways, subscriptions and message handlers (issue 12). */
export const TRANSPORT_MUTATIONS: readonly Mutation[] = [
  one(
    'messages of one socket share a request',
    REQUEST,
    'const known = args.find((each) => each instanceof MessageRequest);',
    'const known = args[0].shared; args[0].shared ??= new MessageRequest(() => readHandshake(handshakeOf(args[0])));',
    'open-sockets',
  ),
  one(
    'the handshake of a socket is read once',
    REQUEST,
    'const remembered = rememberedHandshake(client);',
    'const remembered = (client.first ??= rememberedHandshake(client));',
    'open-sockets',
  ),
  one(
    'an upgrade with cookies is a GET like any other',
    'platform/cookies',
    "headers['upgrade'] !== undefined",
    'false',
    'open-sockets',
  ),
  one(
    'what Mercurius writes among the headers decides about cookies',
    'platform/cookies',
    "isUpgrade ? undefined : headers['sec-fetch-site']",
    "headers['sec-fetch-site']",
    'open-sockets',
  ),
  one(
    'the first of two tokens is accepted',
    HANDSHAKE,
    'distinct.length > 1 ? distinct : distinct[0]',
    'distinct[0]',
    'open-sockets',
  ),
  one(
    'a token that is not a string counts as missing',
    HANDSHAKE,
    "values.map((each) => (typeof each === 'string' ? each : BEARER))",
    "values.filter((each) => typeof each === 'string')",
    'sockets',
  ),
  one(
    'verifyRequest keeps the method of a handshake',
    HANDSHAKE,
    'return { headers: { ...headers, authorization }, rawHeaders, query, opened };',
    'return { ...handshake, headers: { ...headers, authorization }, rawHeaders, query, opened };',
    'open-sockets',
  ),
  one(
    'connectionParams are not read',
    REQUEST,
    'const sent = { headers, rawHeaders, auth,',
    'const sent = { headers, rawHeaders,',
    'graphql',
  ),
  one(
    'headers of NATS are read by one spelling',
    REQUEST,
    'return names.flatMap(',
    "return names.filter((name) => name === 'authorization').flatMap(",
    'microservices',
  ),
  one(
    'a gateway is refused by an HttpException',
    REFUSAL,
    "if (type === 'ws')",
    "if (type === 'none')",
    'sockets',
  ),
  one(
    'a message handler is refused by an HttpException',
    REFUSAL,
    "if (type === 'rpc')",
    "if (type === 'none')",
    'microservices',
  ),
  one('gRPC gets the body', REFUSAL, 'if (sent === undefined)', 'if (true)', 'microservices'),
  one(
    'GraphQL errors have no extensions of their own',
    'errors/auth.exception',
    'get extensions()',
    'get others()',
    'graphql',
  ),
  one(
    'RevocationGuard refuses messages by an HttpException',
    'revocation/revocation.guard',
    'return throwTo(context, error);',
    'throw error;',
    'refusals',
  ),
  one(
    'RevocationGuard does not keep the user of a message',
    'revocation/revocation.guard',
    "['http', 'graphql', 'ws', 'rpc']",
    "['http', 'graphql']",
    'refusals',
  ),
  one(
    'a renewed socket is guarded by its first token',
    'live/live-sockets.service',
    "throw refusal('token_missing');\n        showToGuards(socket, token, options.request);",
    "throw refusal('token_missing');",
    'open-sockets',
  ),
  {
    name: 'transports: the client of a handshake names its host',
    edits: [
      {
        file: 'platform/cookies',
        find: "isUpgrade ? undefined : headers['x-forwarded-host']",
        replace: "headers['x-forwarded-host']",
      },
    ],
    tests: 'unit/platform/cookies',
  },
  {
    name: 'transports: the host of a handshake is that which the framework computed',
    edits: [
      { file: 'platform/cookies', find: '(isUpgrade ? undefined : host) ??', replace: 'host ??' },
    ],
    tests: 'unit/platform/cookies',
  },
  {
    name: 'transports: refusals of a handler are not counted',
    edits: [
      {
        file: 'platform/auth-exception.filter',
        find: 'this.refusalCounter?.refuse(exception);',
        replace: '',
      },
    ],
    tests: 'e2e/counted-refusals',
  },
  one(
    'what RevocationGuard refuses behind a gateway is not counted',
    'revocation/revocation.guard',
    'this[METER]?.refuse(error);',
    '',
    'sockets',
  ),
  {
    name: 'transports: a renewal that is refused is not counted',
    edits: [
      {
        file: 'live/live-sockets.service',
        find: '.catch(this.meter.refused)',
        replace: '',
      },
    ],
    tests: 'unit/live/live-sockets',
  },
  {
    name: 'transports: a wrong login is counted twice',
    edits: [
      {
        file: 'http/login.routes',
        find: "if (login === null)\n            throw alreadyCounted(refusal('credentials_invalid'))",
        replace: "if (login === null)\n            throw refusal('credentials_invalid')",
      },
    ],
    tests: 'e2e/counted-refusals',
  },
];
