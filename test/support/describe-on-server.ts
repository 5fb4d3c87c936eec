import { describe } from '@jest/globals';
import { hasPostgresPrograms } from './postgres-server.js';

/** A `describe` that is skipped by name where this machine cannot start its own PostgreSQL. */
export function describeOnServer(title: string, body: () => void): void {
  (hasPostgresPrograms ? describe : describe.skip)(
    `${title} on PostgreSQL servers of its own`,
    body,
  );
}
