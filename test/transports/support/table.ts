import type { Handler } from './handlers.js';

/** What a transport can do, apart from what all of them can. */
interface Row {
  /** Where the token is. */
  readonly place: string;
  /** What the client gets of a refusal. */
  readonly form: string;
  /** Where a second token can be; `undefined` where the protocol has no room for one. */
  readonly second?: string;
}

const GRAPHQL = {
  place: 'as HTTP',
  form: '`extensions.code`, and the body in `extensions.originalError`',
  second: 'URL, cookie',
};
const GRAPHQL_WS = {
  place: '`connectionParams`, else the upgrade request',
  form: GRAPHQL.form,
  second: '`connectionParams`, upgrade request',
};
const HTTP = {
  place: 'header `Authorization`, cookie',
  form: 'status, headers, body',
  second: 'URL, cookie',
};
const DATA = {
  place: '`authorization` of the data',
  form: 'RpcException with the body',
  second: 'metadata of the packet (Nest 12)',
};

/** The lines of the table in docs/transports.md; the matrix runs each of them. */
export const ROWS = {
  'HTTP, Express': HTTP,
  'HTTP, Fastify': HTTP,
  'GraphQL, Apollo, Express': GRAPHQL,
  'GraphQL, Apollo, Fastify': GRAPHQL,
  'GraphQL, Mercurius': GRAPHQL,
  'graphql-ws, Apollo, Express': GRAPHQL_WS,
  'graphql-ws, Apollo, Fastify': GRAPHQL_WS,
  'graphql-ws, Mercurius': GRAPHQL_WS,
  'gateway, socket.io': {
    place: '`handshake.auth`, header or cookie of the handshake',
    form: 'WsException: event `exception` with the body',
    second: '`handshake.auth`, header, cookie',
  },
  'gateway, ws': {
    place: 'header or cookie of the upgrade request',
    form: 'WsException: frame `{ event: "exception", data: body }`',
    second: 'header, cookie',
  },
  TCP: DATA,
  Redis: DATA,
  NATS: { place: 'header `authorization`', form: DATA.form, second: 'a second value' },
  RabbitMQ: {
    place: '`authorization` of `properties.headers`',
    form: DATA.form,
    second: 'another spelling of the name',
  },
  gRPC: {
    place: 'metadata `authorization`',
    form: 'status, code and reason in its metadata',
  },
} as const satisfies Record<string, Row>;

export type RowName = keyof typeof ROWS;

/** What can be done on a route, by the handler of the matrix that does it. */
export const FEATURES: Readonly<Record<Exclude<Handler, 'longAgo'>, string>> = {
  guarded: '`JwtAuthGuard`',
  twice: '`RevocationGuard`',
  open: '`@Public()`',
  optional: '`@OptionalAuth()`',
  last: '`@AllowExpired()`',
  recent: '`@RecentLogin()`',
  strict: '`@Freshness()`',
  lenient: '`@WhenStale()`',
};

/** The tables of docs/transports.md. */
export function transportsTables(): string {
  const rows = Object.entries<Row>(ROWS);
  const line = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const features = Object.values(FEATURES);
  return [
    line('transport', 'the token is in', 'a refusal arrives as', 'two tokens are 400'),
    line('---', '---', '---', '---'),
    ...rows.map(([name, { place, form, second = 'not possible' }]) =>
      line(name, place, form, second),
    ),
    '',
    line('transport', ...features, '`@CurrentUser()`, `@CurrentToken()`'),
    line('---', ...features.map(() => '---'), '---'),
    ...rows.map(([name]) => line(name, ...features.map(() => 'yes'), 'yes')),
  ].join('\n');
}
