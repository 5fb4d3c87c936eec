import { MAX_TOKEN_LENGTH } from '../authentication/jws.js';
import type { VerifiedClaims } from '../options/token-claims.js';
import { logText } from '../platform/log-text.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { identityOf, kidOf } from '../revocation/token-identity.js';
import type { CommandContext, CommandLog } from './command-log.js';
import { CommandUsageError, spanText } from './command.js';

/**
 * `nestjs-logout explain`: shows which events revoke the token from stdin, when each was written, and by
 * whom. Run it when a user asks why they are logged out. The token is not an argument, because other users of
 * the host can read the arguments of a process. It is not printed either.
 *
 * The command has no key, so it cannot check the signature, and prints that. `TokenService.explain()` checks
 * it. The command only reads, and takes no lock. Events without a position yet (`{ manager }`) are not found.
 * The exit code is 0, whether or not the token is revoked.
 *
 * @throws CommandUsageError if stdin is a terminal, or has no JWT.
 */
export async function explain(context: CommandContext): Promise<void> {
  const text = await readToken(context);
  const claims = claimsOf(text);
  const kid = kidOf(text) ?? null;
  const log = await context.open();
  const identity = { ...identityOf(claims, text, { foreign: [] }), iss: claims.iss };
  const keys = await keysFor(log, claims.iss);
  const revokedBy = await log.endingsOf(keys, identity, kid);
  const { now, position } = await log.figures();
  const end = timeOf(claims.exp);
  const { sub, sid, jti } = claims;
  const ids = { issuer: claims.iss, subject: sub, session: sid, jti, kid };
  context.output.print(
    [
      'signature   not checked: the command has no key',
      `token       ${Object.entries(ids)
        .flatMap(([name, id]) => (id ? [`${name} ${logText(String(id))}`] : []))
        .join(', ')}`,
      `expires     ${end === undefined ? 'never' : `${timeText(end)}, ${agoText(end - now)}`}`,
      `log         read at position ${position}`,
      ...(revokedBy.length === 0 ? ['revoked by  nothing in the log'] : []),
      ...revokedBy.map(
        (event) =>
          `revoked by  ${event.kind} event at position ${event.position}, ${event.at.toISOString()}: ` +
          `${event.reason}${event.actor === null ? '' : `, by ${logText(event.actor)}`}`,
      ),
    ],
    {
      claims: { iss: claims.iss, sub, sid, jti },
      kid,
      validUntil: end === undefined ? null : timeText(end),
      isExpired: end !== undefined && end <= now,
      position,
      revokedBy,
    },
  );
}

/** Reads the token from stdin, and stops at more than the longest token that guards accept. */
async function readToken({ host }: CommandContext): Promise<string> {
  if (host.stdin.isTTY === true) {
    throw new CommandUsageError(
      'The token is read from stdin, so that no process list shows it.',
      'Pipe it: nestjs-logout explain < token.txt',
    );
  }
  let text = '';
  for await (const chunk of host.stdin) {
    text += String(chunk);
    // Stops early, because stdin may be a large file. The 2 characters are for a line break.
    if (text.length > MAX_TOKEN_LENGTH + 2) throw noToken();
  }
  return text.trim();
}

/** The claims of a JWT, without checking its signature. They are only used to look up events. */
function claimsOf(text: string): VerifiedClaims & { readonly iss: string } {
  const parts = text.split('.');
  try {
    const claims = JSON.parse(
      Buffer.from(parts[1] ?? '', 'base64url').toString(),
    ) as VerifiedClaims | null;
    if (parts.length === 3 && typeof claims?.iss === 'string' && hasTextsAsIds(claims)) {
      return claims as VerifiedClaims & { readonly iss: string };
    }
  } catch {
    // A payload that is not JSON is reported below.
  }
  throw noToken();
}

/** Whether the ids are strings or missing. Any other type could not be looked up. */
function hasTextsAsIds({ sub = '', sid = '', jti = '' }: VerifiedClaims): boolean {
  return [sub, sid, jti].every((id) => typeof id === 'string');
}

function noToken(): CommandUsageError {
  return new CommandUsageError(
    'What came on stdin is no JWT with an issuer and texts as ids.',
    'Pass the text of one access token, without "Bearer". Refresh tokens cannot be explained.',
  );
}

/**
 * The keys of the events of an issuer. Ids of the instances' own issuer have other keys than those
 * of a foreign one (W2).
 */
async function keysFor(log: CommandLog, issuer: string): Promise<EventKeys> {
  const known = (await log.listInstances()).map((instance) => instance.issuer);
  return new EventKeys(known.length === 0 || known.includes(issuer) ? issuer : '');
}

/** An `exp` as a time (epoch ms); `undefined` if it is missing or invalid. */
function timeOf(exp: unknown): number | undefined {
  const time = typeof exp === 'number' ? new Date(exp * 1000).getTime() : NaN;
  return Number.isNaN(time) ? undefined : time;
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function agoText(left: number): string {
  return left > 0 ? `in ${spanText(left)}` : `${spanText(left)} ago`;
}
