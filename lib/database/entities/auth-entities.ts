import type { EntitySchema, EntitySchemaColumnOptions } from 'typeorm';
import { AuthAccount } from './auth-account.entity.js';
import { ApiToken } from './auth-api-token.entity.js';
import { AuthHead, AuthInstance, AuthLog } from './auth-log.entity.js';
import { AuthSession, RefreshToken } from './auth-session.entity.js';
import { PendingEvent, RevocationEvent } from './revocation-event.entity.js';
import { type AuthTable, type Column, columnsOf, type EntityClass, tableOf } from './table.js';

/** The class of each of our tables: the only place where its columns are written. */
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
 * {@link RevocationEvent}, {@link AuthSession} and {@link AuthAccount} for the `entities` of your own
 * DataSource: read them through its repositories, and join sessions with your users. With `tablePrefix` or
 * `schema` in `AuthModule.forRoot()` use `authTables(…).entities`.
 *
 * They are read-only: `save()` changes no column of ours. `synchronize` and `migration:generate` leave
 * our tables alone. The same list serves TypeORM 0.3 and 1.
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

/** The schemas of the entities that applications may use, under other names. */
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
 * An EntitySchema without TypeORM: every copy of TypeORM knows its schemas by this brand, so that it fits
 * the copy of the application, and importing this file loads none. `EntitySchema` writes nothing to
 * TypeORM's global storage, which decorators of two majors would share.
 */
function schemaOf(
  target: EntityClass,
  tablePrefix: string,
  schema: string | undefined,
): EntitySchema {
  const columns = columnsOf(target).map((column) => [column.property, optionsOf(column)]);
  const branded = {
    '@instanceof': Symbol.for('EntitySchema'),
    // By it @nestjs/typeorm makes the token of the repository.
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

/** Types that every driver accepts: the true ones differ, and only the transformer matters for reading. */
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

/** A value as a driver gives it, as the statements of the log would have selected it. */
function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}
