import { has, only } from './cells.js';
import type { Model } from './model.js';
import { FOREVER, type Instance, NUMBERED, type RowCells, YOUNG } from './world.js';

/**
 * Gives an event the next position, under the head lock: the head is raised and the row inserted in one
 * transaction (W1), `until` is computed from what the head has registered (W3), and the sessions that it
 * ends are marked as ended (G6).
 *
 * @param killsBelow - The value that a retry keeps (G3). Default: its own position.
 */
export function numberEvent(
  model: Model,
  slot: number,
  writer: number,
  killsBelow?: number,
  until = untilOf(model, slot, writer),
): void {
  const { db } = model.world;
  const row = db.rows[slot]!;
  const position = nextPosition(model);
  row.where = NUMBERED;
  row.position = position;
  row.killsBelow = killsBelow ?? position;
  row.until = until;
  row.made = model.scope.purge ? YOUNG : 0;
  db.head.position = position;
  db.head.last = slot + 1;
  markSessions(model, slot, row.killsBelow);
}

function nextPosition({ world: { db }, scope }: Model): number {
  if (scope.feed !== 'rowid reuse') return db.head.position + 1;
  return Math.max(0, ...db.rows.map(({ position }) => position)) + 1;
}

/** W3: until when an event must be remembered. */
export function untilOf({ world, scope, rules, now }: Model, slot: number, writer: number): number {
  if (scope.kinds[slot] === 'key' || scope.kinds[slot] === 'history') return FOREVER;
  const own = scope.lives[writer] as number;
  return now + (rules['W3'] ? Math.max(own, world.db.head.life) : own);
}

/** Ghost: the instances that the bound in the head does not cover, because a failover lost their registration (H4). */
export function uncovered({ world }: Model): number {
  return world.instances.reduce(
    (set, { own, index }) => (own.uncovered === 1 ? set | only(index) : set),
    0,
  );
}

/** G6: what a refresh reads, long after the event's row was purged. */
function markSessions(model: Model, slot: number, killsBelow: number): void {
  if (model.scope.refreshes === 0) return;
  const isFull = has(model.scope.full, slot);
  if (!isFull && !has(model.scope.judged, slot)) return;
  const isJudged = has(model.scope.judged, slot);
  for (const [index, session] of model.world.db.sessions.entries()) {
    if (!model.concerns(slot, index)) continue;
    const mark = isFull ? 'mark' : 'accessMark';
    session[mark] = Math.max(session[mark], isJudged ? killsBelow : FOREVER);
  }
}

/** Ghost: from its commit on, every token that the event concerns must be refused. */
export function takeEffect(model: Model, slot: number): void {
  const { world, scope } = model;
  const event = world.events[slot]!;
  if (event.effective === 1) return;
  event.effective = 1;
  for (const [token, cells] of world.tokens.entries()) {
    // A limit of H3: an event that is written before a token was seen beyond the head need not revoke it yet.
    const isUnmet = scope.backup === 'asked' && cells.lostFuture === 1 && cells.met === 0;
    if (cells.live === 1 && !isUnmet && model.concerns(slot, token)) cells.must |= only(slot);
  }
  for (const [index, issue] of [...world.logins, ...world.refreshes].entries()) {
    if ((issue.stage & AUTHORITY) !== 0 && has(scope.concerning[index] as number, slot)) {
      issue.must |= only(slot);
    }
  }
}

/** The stages of a login or refresh: its position was read, its password or refresh token was checked. */
export const READ = 1;
export const AUTHORITY = 2;

/** What an instance knows about one event. */
export interface Told {
  readonly killsBelow: number;
  readonly until: number;
}

/** An event counts in the index. The later `until` and the higher position are kept (G4). */
export function addToIndex(instance: Instance, slot: number, { killsBelow, until }: Told): void {
  const known = instance.known[slot]!;
  known.killsBelow = Math.max(known.killsBelow, killsBelow);
  known.until = Math.max(known.until, until);
}

/** H2: the positions that a jump skipped. An instance knows them once an answer or a load has shown the jump. */
export function addGap(instance: Instance, slot: number, row: Gap): void {
  const known = instance.known[slot]!;
  known.after = row.killsBelow;
  known.killsBelow = row.position;
  known.until = FOREVER;
}

/** A jump, as a load or an answer shows it. */
type Gap = Pick<RowCells, 'position' | 'killsBelow'>;

/**
 * P1, F3: an own commit is known. If its position follows the cursor directly, the cursor moves on.
 * Otherwise every later answer must contain it. If the cursor has passed it although no answer contained
 * it, it was lost: no answer can contain it, so the next one is a contradiction.
 */
export function learnOwn(
  model: Model,
  instance: Instance,
  slot: number,
  position: number,
  told: Told,
  from: { readonly position: number; readonly last: number },
): void {
  const { own } = instance;
  const managed = has(model.scope.managed, slot) ? only(slot) : 0;
  const isUnread = told.until > model.now && instance.known[slot]!.until === 0;
  if (told.until > 0) addToIndex(instance, slot, told);
  own.highest = Math.max(own.highest, position);
  for (const { sent } of instance.polls) if (sent.stage !== 0) sent.written |= managed;
  if (position <= own.cursor) {
    if (isUnread && model.rules['F3 heard late']) own.expected |= only(slot);
    return;
  }
  const continues = from.position === own.cursor && from.last === own.cursorId;
  if (continues && position === own.cursor + 1) {
    own.cursor = position;
    own.cursorId = slot + 1;
    forget(instance, only(slot));
  } else {
    own.expected |= only(slot);
    instance.known[slot]!.position = position;
  }
}

/** F3: from here on no answer must contain these. */
export function forget({ own, known }: Instance, set: number): void {
  own.expected &= ~set;
  for (let slot = 0; slot < known.length; slot++) {
    if (has(set, slot)) known[slot]!.position = 0;
  }
}
