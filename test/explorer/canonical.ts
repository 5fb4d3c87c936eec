import { has } from './cells.js';
import type { Model } from './model.js';
import { ABSENT, NUMBERED } from './world.js';

/**
 * Clears what can make no difference any more, so that states with the same future are one state: times
 * that have passed, ghosts of promises that can no longer break, positions that nothing will compare.
 */
export function forgetWhatIsOver(model: Model): void {
  forgetEvents(model);
  forgetTokens(model);
  forgetRows(model);
  forgetHeights(model);
}

/** A bound that has passed equals one of tick 0. Events that were lost, or revoke no token, keep no bound. */
function forgetEvents({ world, scope, now }: Model): void {
  for (let slot = 1; slot < scope.firstJump; slot++) {
    const event = world.events[slot]!;
    if (event.resolved === 0) continue;
    const isAsked = event.lost === 0 && scope.concerning.some((among) => has(among, slot));
    if (!isAsked) {
      event.holder = 0;
      event.uncovered = 0;
    }
    if (!isAsked || event.deadline <= now) event.deadline = 0;
    else event.deadline = Math.min(event.deadline, scope.ticks + 1);
  }
}

/** No instance accepts an expired token. Only P8 is checked for it, and P9 for the one that is refreshed. */
function forgetTokens({ world, scope, now }: Model): void {
  for (const [index, token] of world.tokens.entries()) {
    if (token.live === 0 || token.expires > now) continue;
    token.expires = 0;
    token.told = 0;
    if (index > 0 || scope.refreshes === 0) token.must = 0;
  }
}

/** An expired row waits for the purge. When it expired makes no difference. */
function forgetRows({ world, scope, now }: Model): void {
  if (scope.feed !== 'head row') return;
  for (const { rows } of [world.db, world.backup]) {
    for (const row of rows) if (row.where === NUMBERED && row.until <= now) row.until = 0;
  }
  for (const { polls } of world.instances) {
    for (const { rows } of polls) {
      for (const row of rows) if (row.where !== ABSENT && row.until <= now) row.until = 0;
    }
  }
}

/**
 * H2: once nothing can be lost any more and the head is above it, the highest position that an instance
 * has seen is compared only with jumps.
 */
function forgetHeights({ world, scope }: Model): void {
  const { clock, db } = world;
  if (clock.failovers < scope.failovers) return;
  for (const { own } of world.instances) {
    if (own.highest === 0 || own.highest > db.head.position) continue;
    let height = 0;
    for (let slot = scope.firstJump; slot < scope.slots; slot++) {
      const { position } = db.rows[slot]!;
      if (position <= own.highest) height = Math.max(height, position);
    }
    own.highest = height;
  }
}
