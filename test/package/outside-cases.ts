/** One run of a user's application, and what it has to print. */
export interface OutsideCase {
  /** The file below the folder of the cases, without `.ts`. */
  readonly file: string;
  readonly args?: readonly string[];
  /** Where 0.2 has an option for it: the old text, and its replacement. */
  readonly edits?: readonly (readonly [find: string, replace: string])[];
  readonly says?: readonly RegExp[];
  readonly never?: RegExp;
  /** With a second copy of @nestjs/common below the library. */
  readonly hasSecondCopy?: boolean;
}

const ROTATED = [/(?:\d+ s later: application query: ok \| GET \/me 200 \| login eyJ.*\n){6}/];
const THAWED = [/at the thaw: me 200 .*me 200 .*login 200 /];
const KEY = "{ idempotencyKey: 'stored-before-it-was-first-sent' }";

/** Case 15 is about other transports, which come later. */
export const OUTSIDE_CASES: readonly OutsideCase[] = [
  { file: '01/two-issuers', says: [/nestjs-logout .*own 200 partner 200 .*own 200 partner 200/] },
  { file: '02/app', says: [/(?:Beacon of a Blob\) +204[^]*){2}/] },
  {
    file: '03/emulated',
    says: [/second application: started\nGET \/me 200\nold one closed; GET \/me 200/],
  },
  {
    file: '04/app',
    // The end of the session last.
    edits: [["['undefined', 'null', 'throws']", "['undefined', 'throws', 'null']"]],
    says: [
      /undefined: refused AuthWiringError The option claims gave undefined/,
      /throws: refused Error EntityNotFoundError/,
      /null: refused AuthUnauthorizedException account_disabled/,
    ],
  },
  {
    file: '05/app',
    says: [
      /verifyCredentials: .*\n +BOOT: AuthWiringError .*UsersService/,
      /a request-scoped provider\n +BOOT: AuthWiringError .*wait for Tenant,/,
      /a durable provider\n +BOOT: AuthWiringError .*wait for DurableTenant,/,
    ],
  },
  { file: '06/app', args: ['function'], says: ROTATED },
  { file: '06/app', args: ['reinit'], says: ROTATED },
  {
    file: '09/http',
    args: ['FOLDER/second.db'],
    hasSecondCopy: true,
    says: [/BOOT AuthWiringError There are two copies of @nestjs\/common/],
  },
  { file: '10/freeze', args: ['terminate'], says: THAWED, never: / 503 / },
  { file: '10/freeze', args: ['blackhole'], says: THAWED, never: / 503 / },
  { file: '10/freeze', args: ['none'], says: THAWED, never: / 503 / },
  {
    file: '12/app',
    edits: [
      ['remember: false, remember_me: false', 'persistent: false'],
      ["delivery: 'cookie' }", "delivery: 'cookie', persistent: false }"],
    ],
    says: [/same successor: true/, /(?:access=…; Path=\/[^]*){6}/],
    never: /Max-Age=[1-9]/,
  },
  {
    file: '12/app',
    says: [/(?:refresh=…; Max-Age=100; [^]*){4}/],
  },
  {
    file: '16/app',
    says: [
      /-- Express\n(?:.*\n){1}.*if the proxy is trusted\) 403 /,
      /-- Express, trust proxy\n(?:.*\n){1}.*trusted\) 200 (?:.*\n){4}.*trusted\) 200 /,
      /-- Fastify\n(?:.*\n){1}.*if the proxy is trusted\) 403 /,
      /-- Fastify, trustProxy\n(?:.*\n){1}.*trusted\) 200 (?:.*\n){4}.*trusted\) 200 /,
      /(?:origins: .* boots; login 200 \n){8}origins: .*BOOT STOPS InvalidAuthOptionsError/,
    ],
  },
  ...['pg', 'maria', 'sqlite'].flatMap((database): OutsideCase[] => [
    ...['auth_session', 'auth_event'].map((table) => ({
      file: '17/app',
      args: [database, table],
      says: [
        /run BOOT STOPS: AuthWiringError .*lacks the columns/,
        /check BOOT STOPS: AuthWiringError .*lacks the columns/,
        /now: \[\{"id":"s1",.* \| our tables there: auth_\w+\n/,
      ],
    })),
    {
      file: '17/app',
      args: [database, 'auth_session'],
      edits: [['bootTimeout: 3', "bootTimeout: 3, tablePrefix: 'shop_'"]],
      says: [
        /run BOOTED; login 200 me 401/,
        /check BOOTED; login 200 me 401/,
        /now: \[\{"id":"s1",/,
      ],
    },
  ]),
  { file: '18/purposes', says: [/AuthModule in its place +.* of: nobody \(invalid signature\)/] },
  {
    file: '21/app',
    says: [/subscription, token +NEXT .*request without headers.*In GraphQL return/],
  },
  ...['request', 'plain'].map((context) => ({
    file: '21/app',
    args: [context],
    says: [
      /subscription, token +NEXT \{"data":\{"things":\{"n":1\}\}\}/,
      /subscription, nothing NEXT .*has no access token/,
      /subscription, logged out NEXT .*The session has ended/,
    ],
  })),
  ...[[], ['path']].map((args) => ({
    file: '25/app',
    args,
    edits: [['cookies: { secure: false,', 'cookies: { secure: false, name,']] as const,
    says: [/shop login 200 /, /shop logout 204 /],
  })),
  {
    file: '26/app',
    says: [
      /at once: 10 answers with the same successor/,
      /within the grace with its old token: ok/,
      /after the grace .*: refresh_token_reused/,
      /the other tab, own login: ok/,
    ],
  },
  {
    file: '26/app',
    edits: [['s.refresh(one.refreshToken!)', `s.refresh(one.refreshToken!, ${KEY})`]],
    says: [
      /after the grace with its old token: ok \| its session goes on: true/,
      /the other tab, own login: ok \| sessions left 2/,
    ],
  },
];
