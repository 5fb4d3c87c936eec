import { ABSENT, NUMBERED, type RowCells, type World } from './world.js';

/** Whether the row of an id has a position. */
export function isNumbered({ db }: World, slot: number): boolean {
  return db.rows[slot]!.where === NUMBERED;
}

/** Clears a row that was deleted. */
export function removeRow({ db }: World, slot: number): void {
  const row = db.rows[slot]!;
  row.where = ABSENT;
  row.position = 0;
  row.killsBelow = 0;
  row.until = 0;
  row.made = 0;
}

type AnsweredRow = Pick<RowCells, 'where' | 'position' | 'killsBelow' | 'until'>;

/** The part of a row that an answer contains. */
export function copyRow(row: AnsweredRow, target: AnsweredRow): void {
  target.where = row.where;
  target.position = row.position;
  target.killsBelow = row.killsBelow;
  target.until = row.until;
}
