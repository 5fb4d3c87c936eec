import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import type { OpenLog } from './open-log.js';
import { LogStatements } from '../../database/log.statements.js';
import type { EventDraft } from '../../database/log-rows.js';

/**
 * The query runner of the caller's transaction, if it can carry events of this log.
 *
 * @throws AuthWiringError without an active transaction, or on another database than the log's.
 */
export async function assertSameTransaction(
  manager: EntityManager,
  application: DataSource | undefined,
  log: OpenLog,
): Promise<QueryRunner> {
  const { queryRunner } = manager;
  if (queryRunner?.isTransactionActive !== true) {
    throw new AuthWiringError(
      'An act with { manager } was called without an active TypeORM transaction.',
      'Pass the manager that dataSource.transaction(async (manager) => …) hands out.',
      'Without a transaction leave { manager } out: the act then commits by itself.',
    );
  }
  if (manager.connection !== application) await assertSameLog(manager, log);
  return queryRunner;
}

/**
 * Writes events in the caller's transaction: rows of `auth_pending` and nothing else, so that no lock
 * of ours is held until somebody else's commit (C1).
 */
export async function insertPending(
  manager: EntityManager,
  drafts: readonly EventDraft[],
  log: OpenLog,
): Promise<void> {
  // TypeORM takes a dotted path for into(); it quotes each part for its own database.
  const table = log.statements.dialect.table('auth_pending').replaceAll(/["`]/g, '');
  await manager
    .createQueryBuilder()
    .insert()
    .into(table)
    .values(drafts.map((draft) => LogStatements.pendingValues(draft)))
    .updateEntity(false)
    .callListeners(false)
    .execute();
}

/** A plain SELECT of a row that is never updated: it takes no lock on anything that moves. */
async function assertSameLog(manager: EntityManager, log: OpenLog): Promise<void> {
  const { sql } = log.statements.logId();
  const rows = (await manager.query(sql).catch(() => [])) as { log_id?: unknown }[];
  if (rows[0]?.log_id === log.id) return;
  throw new AuthWiringError(
    'An act with { manager } was called with a transaction on another database than the revocation log’s.',
    'Leave { manager } out, or start the transaction on the DataSource that AuthModule uses.',
  );
}
