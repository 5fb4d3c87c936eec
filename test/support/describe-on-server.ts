import { describe } from '@jest/globals';
import { hasPostgresPrograms } from './postgres-server.js';

/** A `describe` that is skipped by name where this machine cannot start a PostgreSQL of the test's own. */
export function describeOnServer(title: string, body: () => void): void {
  (hasPostgresPrograms ? describe : describe.skip)(
    `${title} on PostgreSQL servers of its own`,
    body,
  );
}
