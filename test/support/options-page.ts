import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** One option, as its docstring describes it. */
export interface DocumentedOption {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  /** The text after `@default`. */
  readonly defaultsTo: string | undefined;
  /** The paragraphs of the docstring. */
  readonly paragraphs: readonly string[];
}

/** One table of the page. */
interface Section {
  readonly title: string;
  readonly intro: string;
  /** Interfaces whose properties the table lists, and the file of each. */
  readonly of: readonly (readonly [file: string, name: string])[];
  /** Whole docstrings in the table: nothing that would need a section of its own. */
  readonly isShort?: boolean;
}

const AUTH = 'lib/options/auth-options.ts';
const KEYS = 'lib/options/auth-key.ts';
const OPERATION = 'lib/options/operation-settings.ts';

export const SECTIONS: readonly Section[] = [
  {
    title: 'Tokens, keys and the database',
    intro:
      'Required are `issuer`, `audience`, and either `secret` or `keys`. All other options have a default.',
    of: [
      [AUTH, 'WithSecret'],
      [AUTH, 'WithKeys'],
      [AUTH, 'AuthSettings'],
    ],
  },
  {
    title: 'Sessions and refresh tokens',
    intro: 'These times are measured by the clock of the database, never by the clock of a host.',
    of: [['lib/options/session-settings.ts', 'SessionSettings']],
  },
  {
    title: 'Opaque tokens',
    intro: 'See [opaque or JWT](opaque-tokens.md).',
    of: [['lib/options/api-token-options.ts', 'ApiTokenSettings']],
  },
  {
    title: 'Many instances',
    intro:
      'These options decide what an instance does while it cannot read the log ([failure policies](failure-policy.md)), and how it learns of a logout on another instance ([push notifications](push-notifications.md)).',
    of: [[OPERATION, 'OperationSettings']],
  },
  {
    title: 'Beside `useFactory`',
    intro:
      'With `forRootAsync()` set these options beside `useFactory` (or `useClass`) and do not return them from it, because they are needed when the module is registered. With `forRoot()` they are options like the others.',
    of: [['lib/auth.module-definition.ts', 'AuthModuleExtras']],
  },
  {
    title: '`http`: the routes of the library',
    intro:
      'With `http: {}` the application has the routes `refresh`, `logout`, `logout-others`, `logout-all`, `sessions`, `revoke`, `introspect` and the public keys. With `verifyCredentials` it also has `login` and [`confirm`](step-up.md#confirm-the-login).',
    of: [['lib/http/http-options.ts', 'AuthHttpOptions']],
  },
  {
    title: '`http.cookies`',
    intro: '`cookies: true` uses all defaults.',
    of: [['lib/http/cookie-options.ts', 'CookieOptions']],
  },
  {
    title: 'An entry of `keys`',
    intro: 'Each entry has exactly one of `secret`, `privateKey` and `publicKey`.',
    isShort: true,
    of: [
      [KEYS, 'SecretKeyOptions'],
      [KEYS, 'PrivateKeyOptions'],
      [KEYS, 'PublicKeyOptions'],
    ],
  },
  {
    title: 'An entry of `foreign`',
    intro: 'Another issuer whose tokens `RevocationGuard` and `assertActive()` check.',
    isShort: true,
    of: [['lib/options/foreign-issuers.ts', 'ForeignIssuerOptions']],
  },
  {
    title: '`apiTokens`',
    intro: '`apiTokens: true` uses the defaults.',
    isShort: true,
    of: [['lib/options/api-token-options.ts', 'ApiTokenOptions']],
  },
  {
    title: '`legacy`',
    intro: 'See [migrating](migrating.md).',
    isShort: true,
    of: [['lib/options/legacy-options.ts', 'LegacyOptions']],
  },
  {
    title: '`binding`',
    intro: 'See [binding](binding.md).',
    isShort: true,
    of: [
      ['lib/options/binding-option.ts', 'ClientBinding'],
      ['lib/options/binding-option.ts', 'BindingOptions'],
    ],
  },
  {
    title: 'An entry of `lifetimes`',
    intro:
      'The name of an entry is the `client` of a login, or `*` for all others. See [choosing lifetimes](choosing-lifetimes.md#lifetimes-by-client-and-by-login).',
    isShort: true,
    of: [['lib/options/client-lifetimes.ts', 'ClientLifetimes']],
  },
  {
    title: '`observe`',
    intro:
      'Use it for [the first week in production](failure-policy.md#the-first-week-in-production-observe).',
    isShort: true,
    of: [[OPERATION, 'ObserveOptions']],
  },
  {
    title: 'An entry of `http.cookies.former`',
    intro: 'A cookie that an earlier version of the application set.',
    isShort: true,
    of: [['lib/http/cookie-options.ts', 'FormerCookie']],
  },
];

/** The text of docs/options.md. */
export function optionsPage(): string {
  const head = [
    '# Options',
    '<!-- Generated from the docstrings: node build/test/support/write-generated-pages.js -->',
    'Pass these options to `AuthModule.forRoot()`, or return them from the factory of `AuthModule.forRootAsync()`. They are checked at boot. If any is wrong, the boot stops with an error that lists every problem: the option, its value, and the fix.',
    "A duration is a number of **seconds**, or a string with a unit: `'250ms'`, `'15m'`, `'30d'`. A string without a unit stops the boot.",
  ];
  return `${[...head, ...SECTIONS.flatMap(sectionLines)].join('\n\n')}\n`;
}

/** The options of an interface, in the order of the file. */
export function optionsOf(file: string, name: string): DocumentedOption[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(file, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const found = source.statements.find(
    (each): each is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(each) && each.name.text === name,
  );
  if (found === undefined) throw new Error(`${file} has no interface ${name}.`);
  const properties = found.members.filter((each) => ts.isPropertySignature(each));
  // `keys?: undefined` only means that it cannot be combined with another one.
  return properties.filter(({ type }) => type?.getText() !== 'undefined').map(documented);
}

function documented(property: ts.PropertySignature): DocumentedOption {
  const [doc] = ts.getJSDocCommentsAndTags(property).filter((each) => ts.isJSDoc(each));
  const tag = doc?.tags?.find(({ tagName }) => tagName.text === 'default');
  return {
    name: property.name.getText(),
    type: (property.type?.getText() ?? 'unknown')
      .replace(/ \| undefined$/, '')
      .replaceAll(/\s+/g, ' '),
    isRequired: property.questionToken === undefined,
    defaultsTo: tag === undefined ? undefined : plain(ts.getTextOfJSDocComment(tag.comment)),
    paragraphs: plain(ts.getTextOfJSDocComment(doc?.comment)).split('\n\n').filter(Boolean),
  };
}

/** Without the links of docstrings, each paragraph in one line. */
function plain(comment = ''): string {
  return comment
    .replaceAll(/\{@link (?:\S+ \| )?([^}]+?)\}/g, '`$1`')
    .replaceAll(/(?<!\n)\n(?![\n*-]| )/g, ' ')
    .trim();
}

function sectionLines({ title, intro, of, isShort = false }: Section): string[] {
  const options = together(of.flatMap(([file, name]) => optionsOf(file, name)));
  const rows = options.map((option) => {
    const {
      name,
      type,
      paragraphs: [first = '', ...more],
    } = option;
    const shown = `\`${name}\``;
    const what = isShort ? [first, ...more].join(' ') : first;
    const cells = [
      !isShort && more.length > 0 ? `[${shown}](#${name.toLowerCase()})` : shown,
      `\`${type}\``,
      defaultOf(option),
      what,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  const table = ['| option | type | default | what it is |', '|---|---|---|---|', ...rows].join(
    '\n',
  );
  const details = options.filter(({ paragraphs }) => !isShort && paragraphs.length > 1);
  return [
    `## ${title}`,
    intro,
    table,
    ...details.flatMap(({ name, paragraphs }) => [`### ${name}`, ...paragraphs.slice(1)]),
  ];
}

/** Options of one name as one: the three kinds of keys share most of theirs. */
function together(all: readonly DocumentedOption[]): DocumentedOption[] {
  return [...new Set(all.map(({ name }) => name))].map((name) => {
    const same = all.filter((each) => each.name === name);
    const [first] = same as [DocumentedOption];
    const type = [...new Set(same.flatMap((each) => each.type.split(' | ')))].join(' | ');
    return { ...first, type, isRequired: same.every(({ isRequired }) => isRequired) };
  });
}

/** A value is code, unless text follows it. */
function defaultOf({ defaultsTo: text = '', isRequired }: DocumentedOption): string {
  if (isRequired) return text === '' ? '**required**' : text;
  const value = /^('[^']*'|\d+|true|false|\[\]|\{[^}]*\}|\(\) => false)(.*)$/s.exec(text);
  return value === null ? text : `\`${value[1]}\`${value[2]}`;
}
