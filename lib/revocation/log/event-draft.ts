import { randomUUID } from 'node:crypto';
import {
  KEYS_OF_ISSUERS,
  type PendingEvent,
  REVOCATION_REASONS,
  type RevocationEvent,
  type RevocationKind,
  type RevocationReason,
} from '../../database/entities/revocation-event.entity.js';
import type { HeadBefore } from '../../database/log.statements.js';
import { type AuthException, refusal } from '../../errors/auth.exception.js';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { isIdentifier, subjectOf } from '../../platform/identifier.js';
import type { EventKeys, SessionScope } from '../index/event-key.js';
import { keepUntil } from './retention.js';

/** An event on its way into the log. */
export interface EventDraft extends PendingEvent {
  /**
   * The watermark of an attempt that was reported although its outcome is unknown. A later retry
   * keeps it, so that it does not revoke logins that came in between (G3). `null`: the position of
   * the event.
   */
  killsBelow: number | null;
  /**
   * The position that the last attempt assigned. While the outcome is unknown, tokens are compared
   * with it (W4).
   */
  attemptedAt: number | null;
  /** Whether a look under the head lock showed that no earlier attempt was committed. */
  provenAbsent: boolean;
  /**
   * Whether the answer to the single statement was lost. The server may still hold that statement
   * in the queue for the head lock, so a look that does not find the event proves nothing.
   */
  mayStillCome?: boolean;
  /** It is only written while the format of the log is below this one (H5). */
  readonly belowFormat?: number | undefined;
  /** What the event changes in the row of its account, besides revoking its sessions. */
  readonly account?: AccountChange | undefined;
}

/** Whether and from when an account may log in again, by the database's clock. */
export interface AccountChange {
  /** The end of the lock (epoch ms). */
  readonly lockUntil?: number | undefined;
  /** The duration of the lock, from the commit on (ms). */
  readonly lockFor?: number | undefined;
  readonly disable?: boolean | undefined;
}

interface Common {
  /** It is sent to the holder of the token, unless it is the default `unspecified`. */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit: at most 255 characters. It is never sent to a client. */
  readonly actor?: string | undefined;
}

/** The default reason of each kind of event. */
export const DEFAULT_REASONS: Readonly<Record<RevocationKind, RevocationReason>> = {
  token: 'logout',
  session: 'logged_out_elsewhere',
  subject: 'logged_out_elsewhere',
  key: 'key_compromised',
  issuer: 'everyone',
};

/** A revocation to be written: the input of {@link RevocationLog.append}. */
export type RevocationRequest =
  | (Common & {
      readonly kind: 'token';
      readonly issuer: string;
      readonly jti: string;
      /** The token's `exp` in seconds. */
      readonly expiresAt?: number | undefined;
    })
  | (Common & { readonly kind: 'session'; readonly issuer: string; readonly sid: string })
  | (Common & {
      readonly kind: 'subject';
      readonly issuer: string;
      readonly subject: string;
      /** The one session that is not revoked. */
      readonly exceptSession?: string | undefined;
      /** Revokes access tokens but no session. */
      readonly accessOnly?: boolean | undefined;
      /** Locks or disables the account too. It is not allowed in a caller's transaction. */
      readonly account?: AccountChange | undefined;
      readonly scope?: undefined;
    })
  | (Common & {
      /**
       * The cut-off of a scope. It revokes no token by itself, but refuses a login that read its
       * position before the cut-off (G1).
       */
      readonly kind: 'subject';
      readonly issuer: string;
      readonly scope: SessionScope;
    })
  | (Common & { readonly kind: 'key'; readonly issuer: string; readonly kid: string })
  | (Common & { readonly kind: 'issuer'; readonly issuer: string });

/** The options of an instance that an event depends on. */
export type DraftOptions = Pick<ResolvedAuthOptions, 'clockTolerance' | 'foreign' | 'maxTokenLife'>;

/**
 * Turns a revocation into events without positions: validated, with hashed keys and new ids. That
 * is one event, and for a signing key a second one that older releases understand.
 *
 * @param now - The host's time (epoch ms), only for the order of the ids.
 * @throws AuthException 400 `invalid_request` for an id that no token can have. Such an event would
 * revoke nothing, and the mistake of the caller would go unnoticed.
 */
export function draftsOf(
  request: RevocationRequest,
  keys: EventKeys,
  options: DraftOptions,
  now: number,
): EventDraft[] {
  const draft = draftOf(request, keys, options, now);
  if (request.kind !== 'key') return [draft];
  return [
    draft,
    {
      ...draft,
      id: newEventId(now),
      key: keys.hex('key', '', request.kid),
      except: null,
      belowFormat: KEYS_OF_ISSUERS,
    },
  ];
}

function draftOf(
  request: RevocationRequest,
  keys: EventKeys,
  options: DraftOptions,
  now: number,
): EventDraft {
  const { kind, issuer, reason = 'unspecified', actor = null } = request;
  if (!REVOCATION_REASONS.includes(reason)) {
    throw badRequest(`reason must be one of ${REVOCATION_REASONS.join(', ')}`);
  }
  if (actor !== null && !isIdentifier(actor)) throw badRequest('actor');
  const ofAccount = kind === 'subject' && request.scope === undefined ? request : undefined;
  return {
    id: newEventId(now),
    kind,
    key: keyOf(request, keys),
    except: exceptionOf(request, keys),
    accessOnly: ofAccount?.accessOnly ?? false,
    account: ofAccount?.account,
    expiresAt: kind === 'token' ? expiryOf(request.expiresAt) : null,
    life: kind === 'key' ? null : lifeOf(issuer, options),
    skew: options.clockTolerance,
    reason,
    actor,
    killsBelow: null,
    attemptedAt: null,
    provenAbsent: false,
  };
}

function keyOf(request: RevocationRequest, keys: EventKeys): string {
  if (request.kind === 'subject' && request.scope !== undefined) {
    return keys.hexOfScope(request.scope);
  }
  return keys.hex(request.kind, request.issuer, idOf(request));
}

/** The id of the revoked token, session, account or key within its issuer. */
function idOf(request: Exclude<RevocationRequest, { readonly scope: SessionScope }>): string {
  switch (request.kind) {
    case 'token':
      return id('jti', request.jti);
    case 'session':
      return id('sid', request.sid);
    case 'subject':
      return subjectOf(request.subject, 'A revocation');
    case 'key':
      return id('kid', request.kid);
    case 'issuer':
      return '';
  }
}

/**
 * The key of the session that is not revoked. For a signing key, the key of the issuer whose tokens
 * are revoked.
 */
function exceptionOf(request: RevocationRequest, keys: EventKeys): string | null {
  if (request.kind === 'key') return keys.hex('issuer', request.issuer, '');
  if (request.kind !== 'subject' || request.scope !== undefined) return null;
  if (request.exceptSession === undefined) return null;
  return keys.hex('session', request.issuer, id('sid', request.exceptSession));
}

function id(name: string, value: string): string {
  if (isIdentifier(value)) return value;
  throw badRequest(`${name} must be 1 to 255 well-formed characters without NUL`);
}

/**
 * How long (ms) tokens that the event revokes can be valid: at least the longest lifetime of this
 * writer's own tokens, registered or not (H4). For a foreign issuer, at least the longest lifetime
 * of its sessions.
 */
function lifeOf(issuer: string, { foreign, maxTokenLife }: DraftOptions): number {
  const other = foreign.find((each) => each.issuer === issuer);
  return Math.max(maxTokenLife, other?.maxSessionLife ?? 0);
}

function expiryOf(seconds: number | undefined): number | null {
  if (seconds === undefined) return null;
  const milliseconds = Math.ceil(seconds * 1000);
  return Number.isSafeInteger(milliseconds) && milliseconds > 0 ? milliseconds : null;
}

function badRequest(what: string): AuthException {
  return refusal('invalid_request', { message: `Nothing was revoked: ${what}.` });
}

/**
 * A new event id: 16 bytes as 32 hex digits, random and time-ordered (RFC 9562 section 5.7,
 * UUIDv7), so that events written together are close together in the database index. No decision
 * uses its time.
 */
export function newEventId(now: number): string {
  // randomUUID() is fast, because Node caches random bytes. Only its random digits are used.
  const random = randomUUID();
  const time = now.toString(16).padStart(12, '0');
  return `${time}7${random.slice(15, 18)}${random.slice(19, 23)}${random.slice(24)}`;
}

/** How long before it gets the head lock a server may have read its clock (ms). */
const LOCK_WAIT = 2_000;

/**
 * Makes the row of an event from its draft, its position and the head under its lock.
 *
 * @param latest - The latest time (epoch ms) at which a token that it revokes can have been signed.
 */
export function numbered(
  draft: EventDraft,
  head: HeadBefore,
  position: number,
  latest: number,
): RevocationEvent {
  draft.attemptedAt = position;
  const isCutOff = draft.kind === 'subject' || draft.kind === 'issuer';
  return {
    position,
    id: draft.id,
    kind: draft.kind,
    key: draft.key,
    killsBelow: isCutOff ? (draft.killsBelow ?? position) : null,
    except: draft.except,
    accessOnly: draft.accessOnly,
    issuedBefore: isCutOff ? head.now + Math.max(draft.skew, LOCK_WAIT) : null,
    until: keepUntil(draft, head, latest),
    reason: draft.reason,
    actor: draft.actor,
    createdAt: head.now,
  };
}
