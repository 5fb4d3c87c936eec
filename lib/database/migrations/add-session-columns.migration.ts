import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dialectOf, type TableNames } from '../dialect-of.js';
import { isThereAlready } from './create-auth-log.migration.js';
import { addColumns, dropColumns } from './tables.js';

/**
 * Adds the nullable columns and the indexes of release 0.2; safe to run where they exist already, and
 * while instances of 0.1 use the tables.
 *
 * @publicApi
 */
export class AddSessionColumns1795824000000 implements MigrationInterface {
  readonly name: string = 'AddSessionColumns1795824000000';

  /** @param names - Where the tables are; TypeORM gives none, and `authTables()` those of its own. */
  constructor(private readonly names: TableNames = {}) {}

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const sql of addColumns(dialectOf(queryRunner.connection, this.names))) {
      await queryRunner.query(sql).catch((error: unknown) => {
        if (!isThereAlready(error)) throw error;
      });
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const sql of dropColumns(dialectOf(queryRunner.connection, this.names)))
      await queryRunner.query(sql);
  }
}
