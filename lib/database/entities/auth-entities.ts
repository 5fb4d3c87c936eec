import { AuthAccount } from './auth-account.entity.js';
import { AuthInstance } from './auth-instance.entity.js';
import { AuthHead, AuthLog } from './auth-log.entity.js';
import { AuthSession, RefreshToken } from './auth-session.entity.js';
import { PendingEvent, RevocationEvent } from './revocation-event.entity.js';
import type { AuthTable, EntityClass } from './table.js';

/** The class of each of our tables: the only place where its columns are written. */
export const AUTH_ENTITIES: Readonly<Record<AuthTable, EntityClass>> = {
  auth_log: AuthLog,
  auth_head: AuthHead,
  auth_event: RevocationEvent,
  auth_pending: PendingEvent,
  auth_subject: AuthAccount,
  auth_session: AuthSession,
  auth_refresh: RefreshToken,
  auth_instance: AuthInstance,
};
