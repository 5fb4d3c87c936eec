import { eventName, type Model, nameOf, type Step } from './model.js';
import { learnOwn } from './numbering.js';
import { FOREVER, type Instance, NUMBERED, YOUNG } from './world.js';

/** The length of a jump: it ends beyond every position that a scope can hand out. */
const JUMP = 16;

/**
 * H2: whether a writer, login, refresh or load must jump before anything else, because of another
 * server, a head below the highest position it has seen, another id at its cursor, or a fork that
 * it found (H3).
 */
export function needsJump(model: Model, { own }: Instance): boolean {
  const { world, scope, rules } = model;
  if (!rules['H2 jump']) return false;
  const { head } = world.db;
  if (scope.identity && head.server !== world.clock.server) return true;
  if (head.position < own.highest || own.mustJump === 1) return true;
  return own.up === 1 && hasOtherIdAtCursor(model, own);
}

function hasOtherIdAtCursor({ world: { db } }: Model, own: Instance['own']): boolean {
  if (own.cursor === 0 || own.cursor <= db.head.purged) return false;
  const row = db.rows[own.cursorId - 1];
  return row?.where !== NUMBERED || row.position !== own.cursor;
}

/** Whether another instance has already jumped beyond everything that this one has seen. */
export function hasJumpedBeyond({ world, scope }: Model, highest: number): boolean {
  return world.db.rows.some(
    ({ where, position }, slot) =>
      slot >= scope.firstJump && where === NUMBERED && position > highest,
  );
}

/** The slot for the next history event; undefined when the scope has no room for another. */
function freeJump({ world, scope }: Model): number | undefined {
  const slot = scope.firstJump + world.clock.jumps;
  return slot < scope.slots ? slot : undefined;
}

/** H2: an instance that must jump does so, in its own transaction. */
export function offerJumps(model: Model, step: Step): void {
  const slot = freeJump(model);
  if (slot === undefined) return;
  for (const instance of model.world.instances) {
    const { own } = instance;
    if (own.up === 0 && own.loading === 0) continue;
    if (!needsJump(model, instance)) continue;
    const told = `${nameOf(instance)} jumps to a new history (${eventName(model, slot)})`;
    step(
      () => told,
      () => jump(model, instance, slot),
    );
    if (model.world.clock.commitsLost >= model.scope.commitsLost) continue;
    step(
      () => `${told}, and the answer to its COMMIT is lost`,
      () => {
        model.world.clock.commitsLost++;
        const from = { ...own };
        jump(model, instance, slot);
        Object.assign(own, { highest: from.highest, mustJump: from.mustJump });
      },
    );
  }
}

/** An instance jumps, and knows its new position. */
export function jump(model: Model, instance: Instance, slot: number): void {
  const { head } = model.world.db;
  const { own } = instance;
  const from = { position: head.position, last: head.last };
  insertHistory(model, slot);
  own.mustJump = 0;
  own.highest = Math.max(own.highest, head.position);
  if (own.up === 0) return;
  learnOwn(model, instance, slot, head.position, { killsBelow: 0, until: 0 }, from);
}

/** A `history` event beyond every position that any history has handed out. */
function insertHistory(model: Model, slot: number): void {
  const { world, rules } = model;
  const { db, clock } = world;
  clock.jumps++;
  const row = db.rows[slot]!;
  row.where = NUMBERED;
  row.killsBelow = db.head.position;
  row.position = rules['H2 time'] ? JUMP * clock.jumps : db.head.position + JUMP;
  row.until = FOREVER;
  row.made = model.scope.purge ? YOUNG : 0;
  db.head.position = row.position;
  db.head.last = slot + 1;
  db.head.server = clock.server;
  if (rules['H2 purged']) db.head.purged = row.position - 1;
}

/** H3: the command `new-history`, after a backup was restored and before any instance starts. */
export function beginHistory(model: Model): void {
  const slot = freeJump(model);
  if (slot !== undefined) insertHistory(model, slot);
}

/**
 * G5: an instance decides about a token whose position is beyond the head even after its own poll. It
 * answers 503 and jumps, so that no later event can make the token valid.
 */
export function offerQuestions(model: Model, step: Step): void {
  const { world, scope, rules } = model;
  if (scope.backup !== 'asked') return;
  const slot = freeJump(model);
  for (const instance of world.instances) {
    for (const [index, token] of world.tokens.entries()) {
      const isBeyond = token.live === 1 && token.met === 0 && token.gen > world.db.head.position;
      if (instance.own.up === 0 || !isBeyond || (rules['G5'] && slot === undefined)) continue;
      step(
        () =>
          `${nameOf(instance)} is asked about a token of position ${token.gen}, beyond the head`,
        () => {
          token.met = 1;
          if (!rules['G5'] || slot === undefined) return;
          jump(model, instance, slot);
          // It is in the gap of this jump: an event that was written since its login revokes it.
          token.must |= model.effective(scope.concerning[index] as number) & ~token.not;
        },
      );
    }
  }
}

/** In healthy rounds: every instance that must jump does so. */
export function jumpIfNeeded(model: Model, instance: Instance): void {
  const slot = freeJump(model);
  if (slot !== undefined && needsJump(model, instance)) jump(model, instance, slot);
}
