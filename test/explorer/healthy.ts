import { register, start } from './faults.js';
import { pollNow } from './following.js';
import { jumpIfNeeded, needsJump } from './histories.js';
import { load } from './loading.js';
import { type Model, nameOf } from './model.js';
import { endTransactions } from './wrong-feeds.js';

/** A fork, its reload, a registration and a poll: no instance needs more rounds than these. */
const ROUNDS = 4;

/**
 * Not stuck: from here, a few rounds in which nothing fails make every instance fresh, and leave
 * nothing provisional once the tokens have expired (W4). Changes the world; the caller restores it.
 */
export function checkNotStuck(model: Model): void {
  const { world, scope } = model;
  if (scope.feed === 'push alone') return;
  endTransactions(model);
  for (const instance of world.instances) {
    const { own } = instance;
    for (let round = 0; round < ROUNDS && own.proof !== model.now + 1; round++) {
      if (own.up === 0 && own.loading === 0) start(model, instance);
      if (own.up === 0) jumpIfNeeded(model, instance);
      if (own.up === 0 && needsJump(model, instance)) return; // the scope has no room for a jump
      if (own.loading !== 0) load(model, instance);
      if (own.registered === 0) register(model, instance);
      jumpIfNeeded(model, instance);
      pollNow(model, instance);
    }
    const isFresh = own.proof === model.now + 1 || own.closed === 1;
    model.forbid(
      !isFresh,
      `stuck: ${nameOf(instance)} is not fresh after ${ROUNDS} healthy rounds`,
    );
    for (const [slot, event] of world.events.entries()) {
      const isOver = event.until <= model.now && (own.provisional & (1 << slot)) !== 0;
      model.forbid(isOver, `stuck: ${nameOf(instance)} answers 503 for tokens that have expired`);
    }
  }
}
