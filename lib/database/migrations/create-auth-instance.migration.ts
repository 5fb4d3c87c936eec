import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dialectOf, type TableNames } from '../dialect-of.js';
import { createInstances, dropInstances } from './tables.js';

/**
 * Makes the table in which each instance says what it is set to, so that those who operate it see
 * instances that contradict each other; safe to run where it exists already.
 *
 * @publicApi
 */
export class CreateAuthInstance1763769600000 implements MigrationInterface {
  readonly name: string = 'CreateAuthInstance1763769600000';

  /** @param names - Where the tables are; TypeORM gives none, and `authTables()` those of its own. */
  constructor(private readonly names: TableNames = {}) {}

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(createInstances(dialectOf(queryRunner.connection, this.names)));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(dropInstances(dialectOf(queryRunner.connection, this.names)));
  }
}
