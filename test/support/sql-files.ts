import {
  grants,
  makeAll,
  makeChange,
  TABLE_CHANGES,
  undoChange,
} from '../../lib/database/table-definitions.js';
import type { Dialect } from '../../lib/database/dialect.js';
import { mysqlDialect } from '../../lib/database/mysql.dialect.js';
import { postgresDialect } from '../../lib/database/postgres.dialect.js';
import { sqliteDialect } from '../../lib/database/sqlite.dialect.js';

const LOG_ID = 'the id of the log';

/** Created by the database when the script runs: two logs must never have the same. */
const NEW_LOG_ID: Readonly<Record<Dialect['name'], string>> = {
  postgres: 'gen_random_uuid()::text',
  mysql: 'UUID()',
  sqlite: 'lower(hex(randomblob(16)))',
};

/** Epoch milliseconds, whatever the time zone of the session that runs the script. */
const NOW: Readonly<Record<Dialect['name'], string>> = {
  postgres: '(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint',
  mysql: `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000`,
  sqlite: `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
};

const TITLES: Readonly<Record<Dialect['name'], string>> = {
  postgres: 'PostgreSQL: run it with a search_path that begins with the schema of the log.',
  mysql: 'MySQL and MariaDB: run it once, in the database of the log (USE …).',
  sqlite: 'SQLite: run it on the file of the application.',
};

/**
 * The scripts of `docs/sql`, by file name, made from the one description of our tables that the
 * migrations use.
 */
export function sqlFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const dialect of [postgresDialect(''), mysqlDialect(''), sqliteDialect()]) {
    files.set(`${dialect.name}.up.sql`, plain(up(dialect)));
    files.set(`${dialect.name}.upgrade-0.2.sql`, plain(upgrade(dialect)));
    files.set(`${dialect.name}.down.sql`, plain(down(dialect)));
  }
  return files;
}

/** The names of our tables without quotes and schema: a script runs in the schema of its caller. */
function plain(script: string): string {
  return script.replaceAll(/(?:(?:""|``)\.)?["`](auth_\w+)["`]/g, '$1');
}

/** The statements of a script, for drivers that accept one at a time. */
export function statementsIn(script: string): string[] {
  return script
    .replaceAll(/^--.*$/gm, '')
    .split(/;$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

/** The commented grants of a script, for a role of this name. */
export function grantsIn(script: string, role: string): string[] {
  return [...script.matchAll(/^-- (GRANT .*) TO .*;$/gm)].map(([, grant]) => `${grant} TO ${role}`);
}

function up(dialect: Dialect): string {
  const statements = makeAll(dialect, LOG_ID, 0).map((statement) =>
    statement.replace(`'${LOG_ID}', 0 `, `${NEW_LOG_ID[dialect.name]}, ${NOW[dialect.name]} `),
  );
  const role = dialect.name === 'mysql' ? `'app'@'%'` : 'app';
  const least = grants(dialect, role).map((grant) => `-- ${grant};`);
  const privileges =
    least.length === 0
      ? ''
      : `\n-- What the role of the application needs, and no more (here it is called app):\n${least.join('\n')}\n`;
  return (
    `-- The tables of nestjs-logout. Generated; see test/support/sql-files.ts.\n` +
    `-- ${TITLES[dialect.name]}\n\n${script(statements)}${privileges}`
  );
}

function upgrade(dialect: Dialect): string {
  return (
    `-- Adds to the tables of nestjs-logout 0.1 what 0.2 needs. Generated; see test/support/sql-files.ts.\n` +
    `-- ${TITLES[dialect.name]}\n` +
    `-- Run it once, before the first instance of 0.2 starts; instances of 0.1 go on beside it.\n\n` +
    // The first two migrations are those of 0.1.
    script(TABLE_CHANGES.slice(2).flatMap((change) => makeChange(dialect, change, LOG_ID, 0)))
  );
}

function down(dialect: Dialect): string {
  return (
    `-- Removes the tables of nestjs-logout. Generated; see test/support/sql-files.ts.\n` +
    `-- Every token that was logged out and has not expired is accepted again.\n\n` +
    script(
      TABLE_CHANGES.toReversed()
        .filter(({ tables }) => tables.length > 0)
        .flatMap((change) => undoChange(dialect, change)),
    )
  );
}

/** One column a line, so that a change of a table is readable in a diff. */
function script(statements: readonly string[]): string {
  return statements
    .map((statement) =>
      statement.startsWith('CREATE TABLE')
        ? statement
            .replace(
              / \((?=id|position|event_id|subject_key|session_key|token_digest|instance_id)/,
              ' (\n  ',
            )
            .replaceAll(
              /, (?=[a-z_]+ (?:bigint|integer|blob|bytea|binary|varbinary|text|varchar|smallint)|PRIMARY KEY)/g,
              ',\n  ',
            )
            .replace(/\)\)/, ')\n)')
        : statement.replace(' SELECT ', '\n  SELECT '),
    )
    .map((statement) => `${statement};\n`)
    .join('\n');
}
