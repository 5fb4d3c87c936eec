import { randomBytes } from 'node:crypto';

/** What may notify the instances of a logout before their next poll. */
export const HINTS = ['none', 'postgres', 'redis', 'nats'] as const;

/** Everything that this sample reads from its environment, checked once. */
export interface ClusterSettings {
  /** Of the page. */
  readonly port: number;
  /** A server that several processes can share; without one, a PostgreSQL is started. */
  readonly databaseUrl: string | undefined;
  readonly hint: (typeof HINTS)[number];
  /** Milliseconds. */
  readonly maxStaleness: number;
  /** Operations of the load in a second, at the beginning. */
  readonly rate: number;
  /** What each instance is given beside its database. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The load never does more in a second than this, whatever the page asks for. */
export const HIGHEST_RATE = 100;

const DEFAULT_PORT = 3200;

type Environment = Readonly<Record<string, string | undefined>>;

/** A message for a person at a terminal; `main.ts` prints it without a stack. */
export class ClusterSettingsError extends Error {}

/**
 * Reads and checks the environment.
 *
 * @throws ClusterSettingsError naming the variable, its value, and the values it accepts.
 */
export function readClusterSettings(env: Environment): ClusterSettings {
  const hint = hintOf(env['HINT'] || 'none');
  const maxStaleness = integer(env, 'MAX_STALENESS', 5, 1, 60);
  return {
    port: integer(env, 'PORT', DEFAULT_PORT, 0, 65_535),
    databaseUrl: serverOf(env['DATABASE_URL'] || undefined),
    hint,
    maxStaleness: maxStaleness * 1_000,
    rate: integer(env, 'RATE', 30, 0, HIGHEST_RATE),
    environment: {
      ...given(env, ['PATH', 'HOME', 'PLATFORM']),
      HINT: hint,
      REDIS_URL: env['REDIS_URL'] || 'redis://127.0.0.1:6379',
      NATS_URL: env['NATS_URL'] || 'nats://127.0.0.1:4222',
      // One secret for all: otherwise an instance would refuse the tokens of the others.
      AUTH_SECRET: env['AUTH_SECRET'] || randomBytes(48).toString('base64url'),
      ACCESS_TOKEN_TTL: '3600',
      MAX_STALENESS: String(maxStaleness),
      PORT: '0',
    },
  };
}

function hintOf(given: string): ClusterSettings['hint'] {
  const hint = HINTS.find((each) => each === given);
  if (hint !== undefined) return hint;
  throw new ClusterSettingsError(`HINT is "${given}"; it must be one of ${HINTS.join(', ')}.`);
}

function serverOf(url: string | undefined): string | undefined {
  if (url === undefined || /^(postgres(ql)?|mysql|mariadb):\/\//.test(url)) return url;
  throw new ClusterSettingsError(
    'DATABASE_URL must be postgres://… or mysql://…: three processes share one server. Leave it out, and a PostgreSQL is started.',
  );
}

function integer(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const text = env[name] || String(fallback);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new ClusterSettingsError(
    `${name} is "${text}"; it must be a whole number from ${min} to ${max}.`,
  );
}

function given(env: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}
