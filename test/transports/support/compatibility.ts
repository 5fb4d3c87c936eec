import { FEATURES, ROWS, type RowName } from './table.js';

/** The lines that each spec asks; it fails if it asks others. */
export const ASKED = {
  'transports/http.spec.ts': ['HTTP, Express', 'HTTP, Fastify'],
  'transports/graphql.spec.ts': [
    'GraphQL, Apollo, Express',
    'GraphQL, Apollo, Fastify',
    'GraphQL, Mercurius',
    'graphql-ws, Apollo, Express',
    'graphql-ws, Apollo, Fastify',
    'graphql-ws, Mercurius',
  ],
  'transports/sockets.spec.ts': ['gateway, socket.io', 'gateway, ws'],
  'transports/microservices.spec.ts': ['TCP', 'Redis', 'NATS', 'RabbitMQ', 'gRPC'],
  'transports/open-streams.spec.ts': [
    'HTTP, Express',
    'HTTP, Fastify',
    'graphql-ws, Apollo, Express',
    'graphql-ws, Apollo, Fastify',
    'graphql-ws, Mercurius',
    'gateway, socket.io',
    'gateway, ws',
    'TCP',
    'Redis',
    'NATS',
    'RabbitMQ',
    'gRPC',
  ],
  'transports/opaque-tokens.spec.ts': [
    'GraphQL, Apollo, Express',
    'graphql-ws, Apollo, Express',
    'gateway, socket.io',
    'TCP',
    'gRPC',
  ],
} as const satisfies Record<string, readonly RowName[]>;

export type AskingSpec = keyof typeof ASKED;

/** What shows a feature. */
interface Evidence {
  /** A spec below `test/`, and a part of a title in it. */
  readonly test: string;
  readonly rows: readonly RowName[];
}

const MATRIX = (
  [
    'transports/http.spec.ts',
    'transports/graphql.spec.ts',
    'transports/sockets.spec.ts',
    'transports/microservices.spec.ts',
  ] as const
).map((test): Evidence => ({ test, rows: ASKED[test] }));

const OPEN = 'transports/open-streams.spec.ts';
const OPAQUE = 'transports/opaque-tokens.spec.ts';
const HTTP: readonly RowName[] = ['HTTP, Express', 'HTTP, Fastify'];

const SOCKETS: readonly RowName[] = ['gateway, socket.io', 'gateway, ws'];

/** The lines of the first table. */
export const SHOWN: Readonly<Record<string, readonly Evidence[]>> = {
  ...Object.fromEntries(Object.values(FEATURES).map((feature) => [feature, MATRIX])),
  '`@CurrentUser()`, `@CurrentToken()`': MATRIX,
  'an open connection ends with its token': [{ test: OPEN, rows: ASKED[OPEN] }],
  'a renewed token on the open connection': [
    {
      test: 'cluster/live/endings.spec.ts: a renewed token replaces the old one on the open socket',
      rows: SOCKETS,
    },
  ],
  '`@RevocationSignal()`': [
    {
      test: 'cluster/live/streams.spec.ts: the signal of an open answer has code and reason',
      rows: HTTP,
    },
  ],
  '`AccessTokenGuard`, opaque tokens': [
    { test: 'e2e/access-token-guard.spec.ts: AT-04 opaque token and allowlist', rows: HTTP },
    { test: OPAQUE, rows: ASKED[OPAQUE] },
  ],
  'IP binding': [
    { test: 'e2e/client-binding.spec.ts: ip check, behind one proxy', rows: HTTP },
    {
      test: 'transports/bound-sockets.spec.ts: accepts a token at the address of its login',
      rows: SOCKETS,
    },
  ],
  DPoP: [
    {
      test: 'e2e/dpop.spec.ts: a login with a proof returns tokens that are bound to its key and accepted',
      rows: HTTP,
    },
    {
      test: 'transports/bound-sockets.spec.ts: accepts the proof of the handshake for each message',
      rows: SOCKETS,
    },
  ],
  '`@RecentLogin()`': [
    ...MATRIX,
    {
      test: 'e2e/http-step-up.spec.ts: a login that is too old gets the challenge of RFC 9470',
      rows: HTTP,
    },
  ],
  'tokens in cookies, with their Origin check': [
    { test: 'e2e/http-csrf.spec.ts: requests from another site’s page', rows: HTTP },
    {
      test: 'transports/open-sockets.spec.ts: a handshake with cookies is checked by its origin',
      rows: ['gateway, ws'],
    },
  ],
};

/** The columns of the first table; one with several lines counts if one of them was asked. */
const COLUMNS: Readonly<Record<string, (row: RowName) => boolean>> = {
  Express: (row) => row === 'HTTP, Express',
  Fastify: (row) => row === 'HTTP, Fastify',
  Apollo: (row) => row.includes('Apollo'),
  Mercurius: (row) => row.includes('Mercurius'),
  'socket.io': (row) => row === 'gateway, socket.io',
  ws: (row) => row === 'gateway, ws',
  TCP: (row) => row === 'TCP',
  Redis: (row) => row === 'Redis',
  NATS: (row) => row === 'NATS',
  RabbitMQ: (row) => row === 'RabbitMQ',
  gRPC: (row) => row === 'gRPC',
};

const CHECKS = 'package/applications.checks.ts';

/** The lines of the second table: a test of each major version of Nest, or none. */
export const NEST: Readonly<Record<string, { readonly 12?: string; readonly 11?: string }>> = {
  'HTTP: login, a guarded route, logout, 401': {
    12: `${CHECKS}: Nest 12 in ES modules with TypeORM 1: login, read, logout, 401`,
    11: `${CHECKS}: Nest 11 in CommonJS with TypeORM 0.3: login, read, logout, 401`,
  },
  'everything public compiles, `skipLibCheck: false`': {
    12: `${CHECKS}: Nest 12, strict, skipLibCheck: false: everything public compiles`,
    11: `${CHECKS}: Nest 11: older projects (module: commonjs) compile, skipLibCheck: false`,
  },
  'the command `nestjs-logout`': {
    12: 'package/command.checks.ts',
    11: 'package/command.checks.ts',
  },
  '`ts-jest` in CommonJS': {
    11: `${CHECKS}: Nest 11: the stock ts-jest spec passes with the line of docs/testing.md`,
  },
  'a gateway of socket.io, a message handler over TCP': {
    12: 'transports/sockets.spec.ts',
    11: `${CHECKS}: Nest 11: a gateway of socket.io and a TCP handler accept, refuse, and end with their token`,
  },
  'the other transports': { 12: 'transports/microservices.spec.ts' },
};

/** The columns of which no line has a spec that asks it. */
export function rowsWithoutSpec(): string[] {
  const shown = new Set<string>(Object.values(ASKED).flat());
  return Object.keys(ROWS).filter((row) => !shown.has(row));
}

/** The two tables of docs/compatibility.md. */
export function compatibilityTables(): string {
  const columns = Object.entries(COLUMNS);
  const line = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line('', ...columns.map(([name]) => name)),
    line('---', ...columns.map(() => '---')),
    ...Object.entries(SHOWN).map(([feature, evidence]) =>
      line(
        feature,
        ...columns.map(([, isOf]) => {
          const rows = evidence.flatMap((each) => each.rows);
          return rows.some(isOf) ? 'yes' : '';
        }),
      ),
    ),
    '',
    line('', 'Nest 12', 'Nest 11'),
    line('---', '---', '---'),
    ...Object.entries(NEST).map(([feature, by]) =>
      line(feature, by[12] === undefined ? '' : 'yes', by[11] === undefined ? '' : 'yes'),
    ),
    '',
    line('', 'shown by'),
    line('---', '---'),
    ...shownBy().map(([tests, features]) => line(features.join('; '), tests)),
  ].join('\n');
}

/** The specs, and the features that they show together. */
function shownBy(): [tests: string, features: string[]][] {
  const features = new Map<string, string[]>();
  const note = (feature: string, tests: readonly string[]): void => {
    const files = new Set(tests.map((test) => `\`${test.replace(/: .*/, '')}\``));
    const key = [...files].join(', ');
    features.set(key, [...(features.get(key) ?? []), feature]);
  };
  for (const [feature, evidence] of Object.entries(SHOWN)) {
    note(
      feature,
      evidence.map(({ test }) => test),
    );
  }
  for (const [feature, by] of Object.entries(NEST)) note(feature, Object.values(by));
  return [...features];
}
