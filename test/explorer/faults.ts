import { abandonWrites, endProvisional } from './writing.js';
import { only } from './cells.js';
import { clearIssue } from './generation.js';
import { type Model, nameOf, type Step, eventName } from './model.js';
import { beginHistory } from './histories.js';
import { removeRow } from './rows.js';
import { ANSWERED } from './following.js';
import { forget } from './numbering.js';
import { endTransactions } from './pending.js';
import { ABSENT, FOREVER, type Instance, NUMBERED, YOUNG } from './world.js';

/** Time, restarts, registration, failover and purge: what happens by itself. */
export function offerFaults(model: Model, step: Step): void {
  const { scope, world, now } = model;
  if (now < scope.ticks) {
    step(
      () => `a tick passes: ${now + 1}`,
      () => tick(model),
    );
  }
  for (const instance of world.instances) {
    const { own } = instance;
    if (own.up === 0 && own.loading === 0) {
      step(
        () => `${nameOf(instance)} starts`,
        () => start(model, instance),
      );
    } else if (world.clock.restarts < scope.restarts) {
      step(
        () => `${nameOf(instance)} is killed`,
        () => {
          world.clock.restarts++;
          die(model, instance);
        },
      );
    }
    if (own.up === 1 && own.registered === 0) {
      step(
        () => `${nameOf(instance)} registers its bound of ${scope.bounds[instance.index]}`,
        () => register(model, instance),
      );
    }
  }
  offerFailovers(model, step);
  if (scope.purge) offerPurge(model, step);
}

function tick(model: Model): void {
  const { world, scope } = model;
  const now = ++world.clock.now;
  for (const instance of world.instances) {
    const { own, known, index } = instance;
    const bound = scope.bounds[index] as number;
    if (model.rules['F5'] && own.proof > 0 && now - (own.proof - 1) >= bound) own.proof = 0;
    for (const [slot, entry] of known.entries()) {
      if (entry.until === 0 || entry.until > now) continue;
      entry.killsBelow = 0;
      entry.until = 0;
      // C3: once it has expired here, no answer must contain it any more.
      forget(instance, only(slot));
    }
  }
  endProvisional(model);
  if (!scope.purge) return;
  for (const { rows } of [world.db, world.backup]) for (const row of rows) row.made = 0;
}

function die(model: Model, instance: Instance): void {
  const { world } = model;
  world.clear(instance);
  abandonWrites(model, instance.index);
  for (const token of world.tokens) token.told &= ~only(instance.index);
  for (const issue of [...world.logins, ...world.refreshes]) {
    if (issue.stage > 0 && issue.stage < 4 && issue.by === instance.index) clearIssue(issue);
  }
}

/**
 * H3: if the server has no identity and no running instance follows the log, a load cannot know whether
 * the history is the old one, so it jumps.
 */
export function start({ scope, rules, world }: Model, { own }: Instance): void {
  const isFollowed = world.instances.some((other) => other.own.up === 1);
  own.loading = 1;
  if (!scope.identity && rules['H3 load jumps']) own.mustJump = 1;
  if (scope.backup === 'unnoticed' && !isFollowed && rules['H3 followed']) own.mustJump = 1;
}

/** H4: raised, never lowered. */
export function register({ world, scope, rules }: Model, { own, index }: Instance): void {
  const { head } = world.db;
  own.registered = 1;
  own.uncovered = 0;
  if (!rules['H4']) return;
  head.bound = Math.max(head.bound, scope.bounds[index] as number);
  head.life = Math.max(head.life, scope.lives[index] as number);
}

function offerFailovers(model: Model, step: Step): void {
  const { scope, world } = model;
  const { clock } = world;
  if (clock.failovers >= scope.failovers) return;
  if (!scope.lossy) {
    step(
      () => 'a standby that lost nothing is promoted',
      () => promote(model),
    );
  } else if (clock.detached === 0) {
    step(
      () => `the standby stops following, at position ${world.db.head.position}`,
      () => {
        clock.detached = 1;
        world.copy(world.db, world.backup);
      },
    );
  } else if (scope.backup === false) {
    step(
      () => `the standby is promoted, at position ${world.backup.head.position}`,
      () => {
        loseCommits(model);
        promote(model);
      },
    );
  } else if (world.instances.every(({ own }) => own.up === 0 && own.loading === 0)) {
    const { position } = world.backup.head;
    step(
      () => `with every instance stopped the backup is restored, at position ${position}`,
      () => {
        loseCommits(model);
        clock.failovers++;
        if (scope.identity && scope.backup === 'stopped' && model.rules['H3 new history']) {
          beginHistory(model);
        }
      },
    );
  }
}

function promote(model: Model): void {
  const { clock } = model.world;
  clock.failovers++;
  clock.server += model.scope.identity ? 1 : 0;
  endTransactions(model);
  // A connection breaks with its server: only what the server had answered can still arrive.
  for (const { polls } of model.world.instances) {
    for (const poll of polls) if (poll.sent.stage !== ANSWERED) model.world.clear(poll);
  }
}

function loseCommits({ world, scope }: Model): void {
  world.clock.detached = 0;
  world.clock.lossy = 1;
  const { db, backup, events, instances, tokens, logins, refreshes } = world;
  for (const [slot, event] of events.entries()) {
    if (db.rows[slot]!.where !== ABSENT && backup.rows[slot]!.where === ABSENT) event.lost = 1;
  }
  for (const read of [...tokens, ...logins, ...refreshes]) {
    if (read.gen > backup.head.position) read.lostFuture = 1;
  }
  world.copy(backup, db);
  if (scope.registering) {
    for (const { own, index } of instances) {
      const isLost = db.head.bound < (scope.bounds[index] as number);
      if (isLost && own.registered === 1) own.uncovered = 1;
    }
  }
  world.clear(backup);
}

/** X1, X2: expired rows, except the last one and those with a young successor. */
function offerPurge(model: Model, step: Step): void {
  const { world, rules, now } = model;
  const { head, rows } = world.db;
  const clockOfPurger = rules['T2'] ? now : now + 1;
  for (const [slot, row] of rows.entries()) {
    if (row.where !== NUMBERED || row.until === FOREVER || row.until > clockOfPurger) continue;
    if (rules['X1']) {
      const successor = rows.find(({ position }) => position === row.position + 1);
      if (row.position === head.position || successor?.made === YOUNG) continue;
    }
    step(
      () => `${eventName(model, slot)} is purged`,
      () => {
        if (rules['X2']) head.purged = Math.max(head.purged, row.position);
        removeRow(world, slot);
      },
    );
  }
}
