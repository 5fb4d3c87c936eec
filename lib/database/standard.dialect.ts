import type { Dialect } from './dialect.js';
import type { AuthTable } from './entities/table.js';

/** What most databases have in common; each dialect writes over it where its own differs. */
export function standardDialect(qualified: (name: string) => string, tablePrefix: string) {
  const prefixed = (name: string): string => `${tablePrefix}${name}`;
  const table = (name: AuthTable): string => qualified(prefixed(name));
  return {
    tableOptions: '',
    canAddIfMissing: false,
    createIndex: ({ name, unique, table: on, columns }) =>
      `CREATE ${unique === true ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${prefixed(name)} ON ${table(on)} (${columns})`,
    // An index is in the schema of its table, and is qualified like one.
    dropIndex: ({ name }) => `DROP INDEX IF EXISTS ${qualified(prefixed(name))}`,
    hasRoles: true,
    ordered: () => '',
    behindNull: () => '',
    forUpdate: ' FOR UPDATE',
    prepareConnection: [],
    prefixed,
    qualified,
    table,
    placeholder: () => '?',
    insertsColumns: false,
    insert: (name, columns, rows) => {
      const row = `(${columns.map(() => '?').join(', ')})`;
      return (
        `INSERT INTO ${table(name)} (${columns.map((column) => column.name).join(', ')}) VALUES ` +
        Array(rows).fill(row).join(', ')
      );
    },
    deletePending: (count) =>
      `DELETE FROM ${table('auth_pending')} WHERE event_id IN (${Array(count).fill('?').join(', ')})`,
  } satisfies Partial<Dialect>;
}
