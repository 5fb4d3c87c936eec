import type { Duration } from './duration.js';
import {
  duration,
  flag,
  list,
  oneOf,
  option,
  OptionProblems,
  readOptions,
  wrong,
  wrongKind,
} from './option-checks.js';

/** What the tokens of one kind of client are bound to. @publicApi */
export interface ClientBinding {
  /**
   * Binds tokens to the client's address (`'exact'`) or network (`'network'`: the first three numbers of an
   * IPv4 address, or the first 64 bits of an IPv6 address). The address is `request.ip`, so configure
   * the framework's `trust proxy` first.
   *
   * @default 'off'
   */
  ip?: 'off' | 'exact' | 'network' | undefined;
  /**
   * Binds tokens to a key that the client proves to have at each request (DPoP, RFC 9449). With `'optional'`
   * a client that sends a proof gets bound tokens, and any other client gets bearer tokens. With
   * `'required'` a login or refresh without a proof is refused.
   *
   * @default 'off'
   */
  dpop?: 'off' | 'optional' | 'required' | undefined;
}

/**
 * Binds tokens to the client that logged in, so that a thief cannot use them.
 *
 * @example
 * ```ts
 * const binding: BindingOptions = { ip: 'network', dpop: 'optional', clients: { kiosk: { ip: 'exact' } } };
 * ```
 * @publicApi
 */
export interface BindingOptions extends ClientBinding {
  /**
   * Other rules for logins of one `client`. If an entry omits a rule, the one for all clients applies.
   *
   * Because the address of a phone changes often, the clients `mobile`, `phone`, `tablet`, `ios` and
   * `android` are not bound to an address unless they have an entry here.
   *
   * @default {}
   */
  clients?: Readonly<Record<string, ClientBinding>> | undefined;
  /**
   * Whether a proof must contain a nonce from this API, at most ten minutes old (RFC 9449 section 8), so that
   * proofs made in advance are refused. Each client then sends one more request at its start.
   *
   * @default false
   */
  nonce?: boolean | undefined;
  /**
   * How far the time of a proof may differ from the server's clock: seconds or `'10s'`, from 1 s to 5
   * minutes. During this time a thief can use a stolen proof once at each other instance.
   *
   * @default 10 (seconds)
   */
  proofWindow?: Duration | undefined;
  /**
   * The origins of this API, such as `['https://api.example.com']`. A proof must be for one of them. Set them
   * if the server answers requests for any `Host`: otherwise another service, to which the client sends its
   * token, could forward the token and the proof.
   *
   * @default [] (the scheme and the host of the request)
   */
  origins?: readonly string[] | undefined;
}

/** The complete rule for a client. */
export type BindingRule = {
  readonly [Name in keyof ClientBinding]-?: NonNullable<ClientBinding[Name]>;
};

/** The checked value of the option `binding`. */
export interface ResolvedBinding {
  readonly nonce: boolean;
  /** Milliseconds. */
  readonly proofWindow: number;
  readonly origins: readonly string[];
  /** The rule for clients without an entry. */
  readonly rule: BindingRule;
  readonly clients: ReadonlyMap<string, BindingRule>;
}

/** Clients that are not bound to an address by default: theirs changes with each cell and each Wi-Fi. */
const MOBILE = ['mobile', 'phone', 'tablet', 'ios', 'android'];

const RULE = {
  ip: option('off', oneOf('off', 'exact', 'network')),
  dpop: option('off', oneOf('off', 'optional', 'required')),
};

const BINDING = {
  ...RULE,
  nonce: option(false, flag),
  proofWindow: option(10, duration('1s', '5m')),
  origins: option([], list(origin, "Give a list: ['https://api.example.com'].")),
  clients: option({}, clients),
};

/** Checks the option `binding`; `undefined` if nothing is bound, so that requests run no code of it. */
export function binding(given: unknown, path: string): ResolvedBinding | undefined {
  if (given === undefined) return undefined;
  const { ip, dpop, ...others } = readOptions(given, path, BINDING);
  const resolved: ResolvedBinding = { ...others, rule: { ip, dpop } };
  if (bindsAddresses(resolved) || bindsKeys(resolved)) return Object.freeze(resolved);
  if (!others.nonce) return undefined;
  throw wrong(
    `${path}.nonce`,
    true,
    "Add dpop: 'optional' or 'required': a nonce is part of a proof.",
  );
}

/** Whether any client is bound to its address. */
export function bindsAddresses(resolved: ResolvedBinding): boolean {
  return rulesOf(resolved).some(({ ip }) => ip !== 'off');
}

/** Whether any client can be bound to a key. */
export function bindsKeys(resolved: ResolvedBinding): boolean {
  return rulesOf(resolved).some(({ dpop }) => dpop !== 'off');
}

/** Whether every client must have a key. */
export function demandsKeys(resolved: ResolvedBinding): boolean {
  return rulesOf(resolved).every(({ dpop }) => dpop === 'required');
}

function rulesOf({ rule, clients: own }: ResolvedBinding): BindingRule[] {
  return [rule, ...own.values()];
}

/** @param earlier - The rule for all clients. */
function clients(
  given: unknown,
  path: string,
  { ip = 'off', dpop = 'off' }: Partial<BindingRule>,
): ReadonlyMap<string, BindingRule> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrongKind(path, given, "Give rules by client: { kiosk: { ip: 'exact' } }.");
  }
  const rules = new Map<string, BindingRule>(MOBILE.map((name) => [name, { ip: 'off', dpop }]));
  const problems = new OptionProblems();
  for (const [name, each] of Object.entries(given)) {
    const usual = rules.get(name) ?? { ip, dpop };
    const table = {
      ip: { ...RULE.ip, default: usual.ip },
      dpop: { ...RULE.dpop, default: usual.dpop },
    };
    const rule = problems.attempt(() => readOptions(each, `${path}.${name}`, table));
    if (rule !== undefined) rules.set(name, rule);
  }
  problems.throwIfAny();
  return rules;
}

function origin(given: unknown, path: string): string {
  const isOne = typeof given === 'string' && URL.canParse(given) && new URL(given).origin === given;
  if (isOne && /^https?:/.test(given)) return given;
  throw wrong(
    path,
    given,
    "Give scheme, host and port, without a path: 'https://api.example.com'.",
  );
}
