import type { DataSource } from 'typeorm';
import { AUTH_TABLES } from '../../support/internals.js';

/** A copy of our tables, stored beside them. */
export class TableCopy {
  private constructor(private readonly dataSource: DataSource) {}

  static async take(dataSource: DataSource): Promise<TableCopy> {
    for (const table of AUTH_TABLES) {
      await dataSource.query(`CREATE TABLE copy_of_${table} AS SELECT * FROM ${table}`);
    }
    return new TableCopy(dataSource);
  }

  /** Restores them in one transaction, as if tables were restored under a running application. */
  async putBack(): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      for (const table of AUTH_TABLES) {
        await manager.query(`DELETE FROM ${table}`);
        await manager.query(`INSERT INTO ${table} SELECT * FROM copy_of_${table}`);
      }
    });
  }
}
