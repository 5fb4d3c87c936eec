import { has, only } from './cells.js';
import { needsJump } from './histories.js';
import { eventName, eventTitle, type Model, nameOf, type Step } from './model.js';
import { addToIndex, learnOwn, numberEvent, takeEffect, uncovered, untilOf } from './numbering.js';
import { promiseLocal } from './promises.js';
import { isNumbered } from './rows.js';
import {
  ABANDONED,
  COMMITTED,
  type EventCells,
  type Instance,
  RESOLVED,
  UNKNOWN,
  UNUSED,
} from './world.js';

/** W: events in their own transactions. */
export function offerWrites(model: Model, step: Step): void {
  const { scope, world } = model;
  for (const [index, plan] of scope.events.entries()) {
    const slot = index + 1;
    const event = world.events[slot]!;
    if (plan.manager === true) continue;
    if (scope.writesLate) offerLateWrite(model, step, slot, event);
    if (event.stage === UNUSED) {
      for (const writer of plan.writers ?? [0]) {
        const instance = world.instances[writer]!;
        if (instance.own.up === 0 || needsJump(model, instance)) continue;
        offerWrite(model, step, slot, instance);
      }
    } else if (event.stage === COMMITTED) {
      offerAnswer(model, step, slot, event);
    } else if (event.stage === UNKNOWN) {
      offerRetry(model, step, slot, event);
    }
  }
}

function offerWrite(model: Model, step: Step, slot: number, instance: Instance): void {
  const { scope, world } = model;
  const { clock } = world;
  const title = eventTitle(model, slot);
  step(
    () =>
      `${nameOf(instance)} writes ${title} at position ${world.db.head.position + 1}` +
      (scope.answersLate ? '; the answer to COMMIT is under way' : ', and resolves'),
    () => {
      commit(model, slot, instance);
      if (!scope.answersLate) resolve(model, slot);
    },
  );
  if (clock.commitsLost >= scope.commitsLost) return;
  step(
    () => `${nameOf(instance)} writes ${title}; COMMIT fails, and its answer is lost`,
    () => {
      const event = world.events[slot]!;
      clock.commitsLost++;
      event.by = instance.index;
      event.killsBelow = world.db.head.position + 1;
      event.until = untilOf(model, slot, instance.index);
      loseAnswer(model, slot, instance);
    },
  );
}

function commit(model: Model, slot: number, { index, own }: Instance): void {
  const { db, events } = model.world;
  const event = events[slot]!;
  event.stage = COMMITTED;
  event.by = index;
  event.fromPosition = db.head.position;
  event.fromLast = db.head.last;
  numberEvent(model, slot, index);
  const row = db.rows[slot]!;
  event.position = row.position;
  event.killsBelow = row.killsBelow;
  event.until = row.until;
  event.deadline = db.head.bound;
  event.uncovered = uncovered(model);
  own.highest = Math.max(own.highest, row.position);
  takeEffect(model, slot);
}

function offerAnswer(model: Model, step: Step, slot: number, event: EventCells): void {
  const { scope, world } = model;
  const name = eventName(model, slot);
  step(
    () => `the call that wrote ${name} resolves on ${nameOf(event.by)}`,
    () => resolve(model, slot),
  );
  if (world.clock.commitsLost >= scope.commitsLost) return;
  step(
    () => `${nameOf(event.by)} never gets the answer that the COMMIT of ${name} succeeded`,
    () => {
      world.clock.commitsLost++;
      event.deadline = 0;
      loseAnswer(model, slot, world.instances[event.by]!);
    },
  );
}

/** P1: from here on this instance refuses, and within the bound that was read all instances do. */
function resolve(model: Model, slot: number): void {
  const { events, instances } = model.world;
  const event = events[slot]!;
  const writer = instances[event.by]!;
  event.stage = RESOLVED;
  event.resolved = 1;
  event.holder = event.by + 1;
  event.deadline += model.now;
  learnOwn(model, writer, slot, event.position, event, {
    position: event.fromPosition,
    last: event.fromLast,
  });
  clearAttempt(event);
  promiseLocal(model, slot, writer);
}

/** W4: its tokens get 503, not 401, until it is settled. */
function loseAnswer(model: Model, slot: number, instance: Instance): void {
  const event = model.world.events[slot]!;
  event.stage = UNKNOWN;
  if (event.until <= model.now && model.rules['W4 settled']) return;
  if (model.rules['W4 provisional']) instance.own.provisional |= only(slot);
  else addToIndex(instance, slot, event);
}

/** W4: one statement that was given up waited for its lock at the server. No process needs to be there any more. */
function offerLateWrite(model: Model, step: Step, slot: number, { stage, by }: EventCells): void {
  if ((stage !== UNKNOWN && stage !== ABANDONED) || isNumbered(model.world, slot)) return;
  step(
    () => `the server writes ${eventName(model, slot)} after all`,
    () => {
      numberEvent(model, slot, by);
      takeEffect(model, slot);
    },
  );
}

/** W4, G3: a retry with the same id settles it. It makes no promise to a caller any more. */
function offerRetry(model: Model, step: Step, slot: number, event: EventCells): void {
  const { world, rules } = model;
  const instance = world.instances[event.by]!;
  if (instance.own.up === 0 || needsJump(model, instance)) return;
  step(
    () => `${nameOf(instance)} tries ${eventName(model, slot)} again with the same id`,
    () => {
      const { head, rows } = world.db;
      const from = { position: head.position, last: head.last };
      if (!isNumbered(world, slot)) {
        numberEvent(model, slot, event.by, rules['G3'] ? event.killsBelow : undefined);
        takeEffect(model, slot);
      } else if (!rules['W1 look']) {
        head.position++;
        head.last = slot + 1;
      }
      const row = rows[slot]!;
      learnOwn(model, instance, slot, row.position, row, from);
      instance.own.provisional &= ~only(slot);
      event.stage = RESOLVED;
      clearAttempt(event);
    },
  );
}

function clearAttempt(event: EventCells): void {
  event.by = 0;
  event.fromPosition = 0;
  event.fromLast = 0;
  event.position = 0;
  event.killsBelow = 0;
  event.until = 0;
}

/** The writes of an instance that died have no caller any more. */
export function abandonWrites({ world }: Model, instance: number): void {
  for (const event of world.events) {
    if (event.holder === instance + 1) event.holder = 0;
    if (event.by !== instance) continue;
    if (event.stage === COMMITTED || event.stage === UNKNOWN) {
      event.stage = ABANDONED;
      event.deadline = 0;
      clearAttempt(event);
    }
  }
}

/** W4: a provisional event ends at the latest when the tokens that it would revoke expire. */
export function endProvisional({ world, rules, now }: Model): void {
  if (!rules['W4 settled']) return;
  for (const { own } of world.instances) {
    if (own.provisional === 0) continue;
    for (const [slot, event] of world.events.entries()) {
      if (has(own.provisional, slot) && event.until <= now) own.provisional &= ~only(slot);
    }
  }
}
