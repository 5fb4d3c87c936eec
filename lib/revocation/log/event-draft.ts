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
  /** Kept from an attempt whose outcome is unknown and was reported, so that a late settlement does
   * not end newer logins (G3). */
  killsBelow: number | null;
  /** Where the last attempt put it; what a provisional outcome is judged by (W4). */
  attemptedAt: number | null;
  /** A look under the head lock showed that no earlier attempt was committed. */
  provenAbsent: boolean;
  /**
   * The answer to one statement was lost. It may still wait for the lock on the head at the server, so that
   * no look proves it absent.
   */
  mayStillCome?: boolean;
  /** It is written only while the format of the log is lower. */
  readonly belowFormat?: number | undefined;
  /** What the event does to its account beside ending its sessions. */
  readonly account?: AccountChange | undefined;
}

/** Whether an account may log in again, and from when; judged by the database's clock. */
export interface AccountChange {
  /** Epoch ms. */
  readonly lockUntil?: number | undefined;
  /** Milliseconds from the commit on. */
  readonly lockFor?: number | undefined;
  readonly disable?: boolean | undefined;
}

interface Common {
  /** The holder of the token may see it, except the default `unspecified`. */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit: at most 255 characters, never told to a client. */
  readonly actor?: string | undefined;
}

/** The reason of an act for which its caller gives none. */
export const DEFAULT_REASONS: Readonly<Record<RevocationKind, RevocationReason>> = {
  token: 'logout',
  session: 'logged_out_elsewhere',
  subject: 'logged_out_elsewhere',
  key: 'key_compromised',
  issuer: 'everyone',
};

/** What is to be ended: the input of {@link RevocationLog.append}. */
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
      /** The one session that is spared. */
      readonly exceptSession?: string | undefined;
      /** Ends access tokens but no session. */
      readonly accessOnly?: boolean | undefined;
      /** Whether the account may log in again; not in a caller's transaction. */
      readonly account?: AccountChange | undefined;
      readonly scope?: undefined;
    })
  | (Common & {
      /** The cut-off of a scope: it ends no token, but logins that it overtakes (G1). */
      readonly kind: 'subject';
      readonly issuer: string;
      readonly scope: SessionScope;
    })
  | (Common & { readonly kind: 'key'; readonly issuer: string; readonly kid: string })
  | (Common & { readonly kind: 'issuer'; readonly issuer: string });

/** What of an instance's options an event depends on. */
export type DraftOptions = Pick<ResolvedAuthOptions, 'clockTolerance' | 'foreign' | 'maxTokenLife'>;

/**
 * Turns what is to be ended into events without a place: checked, digested, each with an id of its own.
 * They are one, and for a key another one that instances of older releases understand.
 *
 * @throws AuthException 400 for an id that no token can carry, so that a slip of the caller is heard
 * and not written as an event that ends nothing.
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

/** What identifies the ended thing within its issuer. */
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

/** The session that is spared; of a key the issuer whose tokens it ends. */
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
 * At least this writer's own longest token, registered or not (H4); the end of a foreign issuer's
 * session is remembered for as long as such a session can live.
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
 * A new event id: 16 bytes as 32 hex digits, random and time-ordered (RFC 9562 section 5.7, UUIDv7),
 * so that neighbours in time are neighbours in the index. Its time decides nothing.
 */
export function newEventId(now: number): string {
  // Its random digits, of which Node fetches many at a time.
  const random = randomUUID();
  const time = now.toString(16).padStart(12, '0');
  return `${time}7${random.slice(15, 18)}${random.slice(19, 23)}${random.slice(24)}`;
}

/** A server may read its clock up to so long before it has the lock on the head (ms). */
const LOCK_WAIT = 2_000;

/**
 * The row of an event with its position.
 *
 * @param latest - The latest time by which a token that it ends can have been signed.
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
