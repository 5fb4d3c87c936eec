import { randomUUID } from 'node:crypto';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dialectOf, type TableNames } from '../dialect-of.js';
import { errorCodeOf } from '../driver-error.js';
import { StorageFailure } from '../log-database.js';
import { createTables, dropTables } from './tables.js';

/**
 * Makes the tables of the revocation log; safe to run where they exist already.
 *
 * `down` drops them: every token that was logged out and has not expired is accepted again, and the
 * log that a later `up` makes is a new one.
 *
 * @publicApi
 */
export class CreateAuthLog1763683200000 implements MigrationInterface {
  readonly name: string = 'CreateAuthLog1763683200000';

  /** @param names - Where the tables are; TypeORM gives none, and `authTables()` those of its own. */
  constructor(private readonly names: TableNames = {}) {}

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const sql of createTables(
      dialectOf(queryRunner.connection, this.names),
      randomUUID(),
      Date.now(),
    )) {
      await queryRunner.query(sql).catch((error: unknown) => {
        if (!isThereAlready(error)) throw error;
      });
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const sql of dropTables(dialectOf(queryRunner.connection, this.names)))
      await queryRunner.query(sql);
  }
}

/**
 * MySQL cannot say IF NOT EXISTS for an index or a column, nor SQLite for a column; the answer to a
 * second attempt says it instead.
 */
export function isThereAlready(error: unknown): boolean {
  const refusal = error instanceof StorageFailure ? error.cause : error;
  const code = errorCodeOf(refusal);
  if (code === 'ER_DUP_KEYNAME' || code === 'ER_DUP_FIELDNAME') return true;
  return code === 'SQLITE_ERROR' && /duplicate column name/.test(String(refusal));
}
