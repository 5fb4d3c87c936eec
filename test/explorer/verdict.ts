import { has } from './cells.js';
import type { Model } from './model.js';
import type { Instance } from './world.js';

/** What an instance would answer; `unknown` is the 503. */
export type Verdict = 'revoked' | 'unknown' | 'expired' | 'accepted';

/** How an instance decides about a token now. */
export function decide(model: Model, instance: Instance, token: number): Verdict {
  const { world, scope, rules, now } = model;
  const cells = world.tokens[token]!;
  const { own, known } = instance;
  const gen = judgedGen(model, instance, cells.gen);
  let latest = -1;
  let latestAt = 0;
  for (let slot = 0; slot < known.length; slot++) {
    const { killsBelow, until } = known[slot]!;
    if (until <= now) continue;
    if (!rules['G4'] && has(scope.judged, slot)) {
      if (killsBelow >= latestAt) [latest, latestAt] = [slot, killsBelow];
    } else if (model.concerns(slot, token) && model.kills(slot, killsBelow, gen)) {
      return 'revoked';
    }
  }
  if (latest > 0 && model.concerns(latest, token) && model.kills(latest, latestAt, gen)) {
    return 'revoked';
  }
  if ((own.provisional & (scope.concerning[token] as number)) !== 0) return 'unknown';
  if (cells.expires <= now) return 'expired';
  if (own.closed === 1) return 'unknown';
  if (cells.gen > own.cursor) return 'unknown';
  return isFresh(model, instance) ? 'accepted' : 'unknown';
}

/** H2: a token whose position was skipped by a jump is of a lost history. It is older than every event. */
function judgedGen({ scope, rules }: Model, { known }: Instance, gen: number): number {
  if (!rules['H2 gap']) return gen;
  for (let slot = scope.firstJump; slot < scope.slots; slot++) {
    const { after, killsBelow, until } = known[slot]!;
    if (until > 0 && gen > after && gen < killsBelow) return 0;
  }
  return gen;
}

/** F5: whether the last proof still allows it to accept. */
export function isFresh({ scope, rules, now }: Model, { own, index }: Instance): boolean {
  if (own.proof === 0) return false;
  return !rules['F5'] || now - (own.proof - 1) < (scope.bounds[index] as number);
}
