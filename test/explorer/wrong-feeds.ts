import type { Model, Step } from './model.js';
import { eventName, eventTitle, nameOf } from './model.js';
import { addToIndex, takeEffect, untilOf } from './numbering.js';
import { ABSENT, type Instance, NUMBERED, OPEN, type Poll, RESOLVED, UNUSED } from './world.js';
import { copyRow } from './rows.js';

/*
 * The feeds of security.md 2.2 that lose events or stall. They are kept, so that the explorer must go
 * on catching them: an explorer that accepts `id > cursor` is worth nothing.
 */

/** Whether numbers are handed out before COMMIT, as a sequence does. */
export function isSequenced({ scope, rules }: Model): boolean {
  const { feed } = scope;
  return (
    !rules['W1 head'] ||
    feed === 'id > cursor' ||
    feed === 'time window' ||
    feed === 'xmin with an id cursor' ||
    feed === 'wait for xmin'
  );
}

/** Writes whose number, time and transaction id are taken before COMMIT. */
export function offerSequencedWrites(model: Model, step: Step): void {
  const { scope, world } = model;
  const { clock } = world;
  for (const [index, plan] of scope.events.entries()) {
    const slot = index + 1;
    const event = world.events[slot]!;
    const name = eventName(model, slot);
    if (event.stage === UNUSED) {
      for (const writer of plan.writers ?? [0]) {
        if (world.instances[writer]!.own.up === 0) continue;
        const transaction = clock.transactions + 1;
        step(
          () =>
            `${nameOf(writer)} begins transaction ${transaction} for ${eventTitle(model, slot)}`,
          () => {
            event.stage = OPEN;
            event.by = writer;
            event.opened = model.now;
            event.transaction = ++clock.transactions;
          },
        );
      }
    } else if (event.stage === OPEN && event.position === 0) {
      const number = clock.sequence + 1;
      step(
        () => `transaction ${event.transaction} gets the id ${number} for ${name}`,
        () => (event.position = ++clock.sequence),
      );
    } else if (event.stage === OPEN) {
      step(
        () => `transaction ${event.transaction} commits ${name}`,
        () => commit(model, slot),
      );
    }
  }
}

function commit(model: Model, slot: number): void {
  const { world, now } = model;
  const { head, rows } = world.db;
  const event = world.events[slot]!;
  const row = rows[slot]!;
  row.where = NUMBERED;
  row.position = event.position;
  row.killsBelow = event.position;
  row.until = untilOf(model, slot, event.by);
  row.made = event.opened;
  if (row.position > head.position) {
    head.position = row.position;
    head.last = slot + 1;
  }
  event.stage = RESOLVED;
  event.resolved = 1;
  event.holder = event.by + 1;
  event.deadline = now + head.bound;
  event.position = 0;
  event.opened = 0;
  takeEffect(model, slot);
  addToIndex(world.instances[event.by]!, slot, row);
}

/** In healthy rounds our own transactions end. Those of other applications may not. */
export function endTransactions(model: Model): void {
  if (!isSequenced(model)) return;
  for (const [slot, event] of model.world.events.entries()) {
    if (event.stage !== OPEN) continue;
    if (event.position === 0) event.position = ++model.world.clock.sequence;
    commit(model, slot);
  }
}

/** Push notifications instead of polls: each may reach an instance, or not. */
export function offerHints(model: Model, step: Step): void {
  if (model.scope.feed !== 'push alone') return;
  for (const instance of model.world.instances) {
    instance.known.forEach(({ until }, slot) => {
      const row = model.world.db.rows[slot]!;
      if (instance.own.up === 0 || row.where !== NUMBERED || until > 0) return;
      step(
        () => `the push notification of ${eventName(model, slot)} reaches ${nameOf(instance)}`,
        () => addToIndex(instance, slot, row),
      );
    });
    if (instance.own.up === 1 && instance.own.proof <= model.now) {
      step(
        () => `${nameOf(instance)} hears nothing, and treats that as a proof`,
        () => (instance.own.proof = model.now + 1),
      );
    }
  }
}

/** What happens elsewhere: a transaction that stays open, a replica that is behind and catches up. */
export function offerStrangers(model: Model, step: Step): void {
  const { scope, world } = model;
  if (scope.foreignTransaction && world.clock.foreignOpen === 0) {
    step(
      () => 'another client opens a transaction in another database of the server',
      () => (world.clock.foreignOpen = 1),
    );
  }
  if (scope.feed === 'replica reads') {
    step(
      () => 'the replica catches up',
      () => world.copy(world.db, world.backup),
    );
  }
}

/** Fills in the answer of a broken feed; `false` for the right one. */
export function answerWrongly(model: Model, { own }: Instance, poll: Poll): boolean {
  const { scope, world } = model;
  const { feed } = scope;
  if (feed === 'head row') return false;
  const source = feed === 'replica reads' || feed === 'kept snapshot' ? world.backup : world.db;
  const oldestOpen = Math.min(
    0xff,
    ...world.events.filter(({ stage }) => stage === OPEN).map(({ transaction }) => transaction),
  );
  for (const [slot, row] of source.rows.entries()) {
    if (row.where !== NUMBERED) continue;
    if (feed === 'time window') {
      // It overlaps the last poll by one tick.
      if (row.made + 1 < own.proof - 1) continue;
    } else if (row.position <= own.cursor) continue;
    const isByTransaction = feed === 'xmin with an id cursor' || feed === 'wait for xmin';
    if (isByTransaction && world.events[slot]!.transaction > oldestOpen) continue;
    copyRow(row, poll.rows[slot]!);
  }
  const isBehind = feed === 'wait for xmin' || feed === 'xmin with an id cursor';
  if (isBehind && (world.clock.foreignOpen === 1 || oldestOpen < 0xff)) {
    poll.head.purged = 1;
  }
  return true;
}

/** Believes every answer. */
export function receiveWrongly(model: Model, instance: Instance, poll: Poll): boolean {
  if (model.scope.feed === 'head row') return false;
  const { own } = instance;
  for (const [slot, row] of poll.rows.entries()) {
    if (row.where === ABSENT) continue;
    addToIndex(instance, slot, row);
    own.cursor = Math.max(own.cursor, row.position);
  }
  // An answer that waits for another open transaction proves nothing.
  if (poll.head.purged === 0) own.proof = Math.max(own.proof, poll.sent.sent + 1);
  return true;
}
