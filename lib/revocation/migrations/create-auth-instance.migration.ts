import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dialectOf } from '../store/dialect-of.js';
import { createInstances, dropInstances } from './tables.js';

/**
 * Makes the table in which each instance says what it is set to, so that those who operate it see
 * instances that contradict each other; safe to run where it exists already.
 *
 * @publicApi
 */
export class CreateAuthInstance1763769600000 implements MigrationInterface {
  readonly name = 'CreateAuthInstance1763769600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(createInstances(dialectOf(queryRunner.connection)));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(dropInstances(dialectOf(queryRunner.connection)));
  }
}
