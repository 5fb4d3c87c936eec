import type { RevocationStatus } from './revocation.service.js';

/** What failure policies and hints add to {@link RevocationStatus}; goes when they are merged. */
export type StatusToCome = RevocationStatus & {
  readonly following?: boolean;
  readonly contradicted?: boolean;
  readonly hint?: 'off' | 'connecting' | 'listening' | 'polling only';
  readonly whenStale?: unknown;
  readonly override?: { readonly until: Date } | null;
  readonly observingUntil?: Date | null;
};
