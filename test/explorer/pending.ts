import { has, only } from './cells.js';
import { needsJump } from './histories.js';
import { eventName, eventTitle, type Model, nameOf, type Step } from './model.js';
import { learnOwn, numberEvent, takeEffect, uncovered, untilOf } from './numbering.js';
import { ABANDONED, type Instance, NUMBERED, OPEN, PENDING, RESOLVED, UNUSED } from './world.js';

/** C: events in callers' transactions, and the mover that numbers them. */
export function offerPending(model: Model, step: Step): void {
  for (const [index, plan] of model.scope.events.entries()) {
    if (plan.manager === true) offerTransaction(model, step, index + 1, plan.writers ?? [0]);
  }
  const waiting = pendingAmong(model, 0xff);
  for (const instance of model.world.instances) {
    const { own } = instance;
    if (own.up === 0) continue;
    if (own.moving === 0 && waiting !== 0) {
      step(
        () => `${nameOf(instance)}'s mover reads the pending events`,
        () => (own.moving = waiting),
      );
    } else if (own.moving !== 0 && !needsJump(model, instance)) {
      step(
        () => `${nameOf(instance)}'s mover numbers what it read`,
        () => move(model, instance),
      );
    }
  }
}

/** C1, C5: the row is written in the caller's transaction, and counts from the commit on. */
function offerTransaction(
  model: Model,
  step: Step,
  slot: number,
  writers: readonly number[],
): void {
  const { world, rules, now } = model;
  const event = world.events[slot]!;
  const row = world.db.rows[slot]!;
  if (event.stage === UNUSED) {
    for (const writer of writers) {
      if (world.instances[writer]!.own.up === 0) continue;
      step(
        () => `a caller on ${nameOf(writer)} writes ${eventTitle(model, slot)}, not committed yet`,
        () => {
          event.stage = OPEN;
          event.by = writer;
          if (!rules['C3']) event.until = untilOf(model, slot, writer);
        },
      );
    }
  }
  if (event.stage !== OPEN) return;
  step(
    () => `the caller commits ${eventName(model, slot)}`,
    () => {
      event.stage = RESOLVED;
      event.resolved = 1;
      event.deadline = now + world.db.head.bound;
      event.uncovered = uncovered(model);
      row.where = PENDING;
      row.until = event.until;
      event.until = 0;
      takeEffect(model, slot);
    },
  );
  step(
    () => `the caller rolls ${eventName(model, slot)} back`,
    () => {
      event.stage = ABANDONED;
      event.until = 0;
    },
  );
}

/** C4: the rows that were read first and are still there, in order. Later ones wait. */
function move(model: Model, instance: Instance): void {
  const { world, rules } = model;
  const { head, rows } = world.db;
  const read = instance.own.moving;
  instance.own.moving = 0;
  for (const [slot, row] of rows.entries()) {
    if (!has(read, slot)) continue;
    const isThere = row.where === PENDING || (row.where === NUMBERED && !rules['C4 dedupe']);
    if (!isThere) continue;
    const from = { position: head.position, last: head.last };
    const until = rules['C3'] ? undefined : row.until;
    numberEvent(model, slot, instance.index, undefined, until);
    learnOwn(model, instance, slot, row.position, row, from);
  }
}

/** Committed events of this set that have no number yet. */
export function pendingAmong({ world }: Model, set: number): number {
  let found = 0;
  for (const [slot, { where }] of world.db.rows.entries()) {
    if (where === PENDING && has(set, slot)) found |= only(slot);
  }
  return found;
}

/** A failover ends every open transaction. */
export function endTransactions({ world, scope }: Model): void {
  for (const [index, plan] of scope.events.entries()) {
    const event = world.events[index + 1]!;
    if (plan.manager !== true || event.stage !== OPEN) continue;
    event.stage = ABANDONED;
    event.until = 0;
  }
}
