import { has, only } from './cells.js';
import { eventName, type Model, nameOf, sessionName } from './model.js';
import { decide } from './verdict.js';
import { ABSENT, type Instance } from './world.js';

/** P1: checked when a call resolves, on the instance that wrote. */
export function promiseLocal(model: Model, slot: number, writer: Instance): void {
  for (const [index, token] of model.world.tokens.entries()) {
    if (token.live === 0 || !has(token.must, slot)) continue;
    model.forbid(
      decide(model, writer, index) === 'accepted',
      `P1: ${eventName(model, slot)} resolved on ${nameOf(writer)}, which accepts ${tokenName(model, index)}`,
    );
  }
}

/** P2, P5, P6, P8: checked in every state. It keeps the ghost of P6. */
export function checkPromises(model: Model): void {
  const { world } = model;
  for (let index = 0; index < world.tokens.length; index++) {
    const token = world.tokens[index]!;
    if (token.live === 0) continue;
    const isUnexpired = token.expires > model.now;
    if (isUnexpired && token.must !== 0) promiseDurable(model, index, token.must);
    for (const instance of world.instances) {
      if (instance.own.up === 0) continue;
      const verdict = decide(model, instance, index);
      if (verdict === 'accepted') promiseBounded(model, index, token.must, instance);
      if (verdict === 'revoked') promiseExact(model, index, instance);
    }
  }
}

/** P2, P7, P6. */
function promiseBounded(model: Model, index: number, must: number, instance: Instance): void {
  const { world, now } = model;
  const token = world.tokens[index]!;
  model.forbid(
    has(token.told, instance.index),
    `P6: ${nameOf(instance)} refused ${tokenName(model, index)} as revoked, and accepts it`,
  );
  if (must === 0) return;
  for (const [slot, event] of world.events.entries()) {
    if (!has(must, slot) || event.resolved === 0 || event.lost === 1) continue;
    model.forbid(
      event.holder === instance.index + 1,
      `P1: ${nameOf(instance)} resolved ${eventName(model, slot)} and accepts ${tokenName(model, index)}`,
    );
    model.forbid(
      now >= event.deadline && !has(event.uncovered, instance.index),
      `P2: ${nameOf(instance)} accepts ${tokenName(model, index)} after the bound of ${eventName(model, slot)}`,
    );
  }
}

/** P5. */
function promiseDurable(model: Model, index: number, must: number): void {
  const { world } = model;
  for (const [slot, event] of world.events.entries()) {
    if (!has(must, slot) || event.resolved === 0 || event.lost === 1) continue;
    model.forbid(
      world.db.rows[slot]!.where === ABSENT,
      `P5: ${eventName(model, slot)} is gone before ${tokenName(model, index)} expires`,
    );
  }
}

/** The unexpired events that an instance knows. */
export function remembered({ now, scope }: Model, { known }: Instance): number {
  return known.reduce(
    (set, { until }, slot) => (until > now && slot < scope.firstJump ? set | only(slot) : set),
    0,
  );
}

/**
 * H1: an instance that proves that it is fresh, or reloads, has reported the lost events it knows.
 */
export function promiseAlarm(model: Model, instance: Instance, among: number): void {
  if (instance.own.noticed === 1) return;
  for (const [slot, event] of model.world.events.entries()) {
    if (!has(among, slot) || event.lost === 0) continue;
    model.forbid(
      model.world.db.rows[slot]!.where === ABSENT,
      `H1: ${nameOf(instance)} knows ${eventName(model, slot)}, which was lost, and does not report it`,
    );
  }
}

/** P8. It remembers for P6 which instance called the token revoked. */
function promiseExact(model: Model, index: number, instance: Instance): void {
  const { scope, world } = model;
  const token = world.tokens[index]!;
  token.told |= only(instance.index);
  if (token.lostFuture === 1) return;
  const outside = model.effective(scope.concerning[index] as number) & ~token.not;
  model.forbid(
    outside === 0,
    `P8: ${nameOf(instance)} refuses ${tokenName(model, index)} as revoked, and no event revoked it`,
  );
}

function tokenName({ scope }: Model, index: number): string {
  const sessions = scope.sessions.length;
  if (index < sessions) return `the token of ${sessionName(index)}`;
  return `the refreshed token of ${sessionName(0)}`;
}
