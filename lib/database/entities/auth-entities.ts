import type { EntitySchema, EntitySchemaColumnOptions } from 'typeorm';
import { AuthAccount } from './auth-account.entity.js';
import { ApiToken } from './auth-api-token.entity.js';
import { AuthHead, AuthInstance, AuthLog } from './auth-log.entity.js';
import { AuthSession, RefreshToken } from './auth-session.entity.js';
import { PendingEvent, RevocationEvent } from './revocation-event.entity.js';
import { type AuthTable, type Column, columnsOf, type EntityClass, tableOf } from './table.js';

/** The class of each table. The columns of a table are declared only in its class. */
export const AUTH_ENTITIES: Readonly<Record<AuthTable, EntityClass>> = {
  auth_log: AuthLog,
  auth_head: AuthHead,
  auth_event: RevocationEvent,
  auth_pending: PendingEvent,
  auth_subject: AuthAccount,
  auth_session: AuthSession,
  auth_refresh: RefreshToken,
  auth_instance: AuthInstance,
  auth_api_token: ApiToken,
};

/**
 * The entities {@link RevocationEvent}, {@link AuthSession} and {@link AuthAccount} for the `entities` of
 * your own DataSource, so that you can read them with its repositories and join sessions with your users.
 * If you set `tablePrefix` or `schema` in `AuthModule.forRoot()`, use `authTables(…).entities` instead.
 *
 * They are read-only: `save()` does not change their columns. `synchronize` and `migration:generate` ignore
 * their tables. The list works with TypeORM 0.3 and 1.
 *
 * @see docs/entities.md
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { TypeOrmModule } from '@nestjs/typeorm';
 * import { authEntities } from 'nestjs-logout';
 *
 * @Module({
 *   imports: [
 *     TypeOrmModule.forRoot({ type: 'postgres', autoLoadEntities: true }),
 *     TypeOrmModule.forFeature([...authEntities]),
 *   ],
 * })
 * export class AppModule {}
 * ```
 * @publicApi
 */
export const authEntities: readonly EntitySchema[] = entitySchemas();

/** The schemas of the public entities, for these table names. */
export function entitySchemas(tablePrefix = '', schema?: string): readonly EntitySchema[] {
  return [RevocationEvent, AuthSession, AuthAccount].map((entity) =>
    schemaOf(entity, tablePrefix, schema),
  );
}

/** Whether an entity of an application's DataSource is one of ours. */
export function isAuthEntity(target: unknown): boolean {
  return Object.values<unknown>(AUTH_ENTITIES).includes(target);
}

/**
 * Makes an EntitySchema without importing TypeORM. Every copy of TypeORM recognizes a schema by this brand,
 * so it works with the copy of the application. Decorators would not: they write to a global storage that
 * two major versions of TypeORM share.
 */
function schemaOf(
  target: EntityClass,
  tablePrefix: string,
  schema: string | undefined,
): EntitySchema {
  const columns = columnsOf(target).map((column) => [column.property, optionsOf(column)]);
  const branded = {
    '@instanceof': Symbol.for('EntitySchema'),
    // @nestjs/typeorm makes the injection token of the repository from this name.
    name: target.name,
    options: {
      name: target.name,
      target,
      tableName: `${tablePrefix}${tableOf(target).name}`,
      ...(schema === undefined ? {} : { schema }),
      synchronize: false,
      columns: Object.fromEntries(columns),
    },
  };
  return branded as unknown as EntitySchema;
}

/** The options of a column. Every driver accepts these types; the transformer reads the real ones. */
function optionsOf(column: Column): EntitySchemaColumnOptions {
  const { name, kind, isKey, isNullable, read, write } = column;
  return {
    name,
    type: kind === 'position' ? 'bigint' : kind === 'flag' ? 'smallint' : 'varchar',
    primary: isKey,
    nullable: isNullable,
    insert: false,
    update: false,
    transformer: {
      from: (value: unknown) => read(asText(value)),
      to: (value: unknown) =>
        value === undefined || value === null ? value : write(value as never),
    },
  };
}

/** Converts a value of the driver to the text that the statements of the log would select. */
function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}
