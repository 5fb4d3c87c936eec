import { offerFaults } from './faults.js';
import { offerPolls } from './following.js';
import { offerLogins, offerRefreshes } from './generation.js';
import { offerJumps, offerQuestions } from './histories.js';
import { offerLoads } from './loading.js';
import type { Model, Step } from './model.js';
import { offerPending } from './pending.js';
import { offerWrites } from './writing.js';
import { isSequenced, offerHints, offerSequencedWrites, offerStrangers } from './wrong-feeds.js';

/** Everything that can happen next. */
export function offerSteps(model: Model, step: Step): void {
  if (isSequenced(model)) offerSequencedWrites(model, step);
  else offerWrites(model, step);
  offerPending(model, step);
  offerLogins(model, step);
  offerRefreshes(model, step);
  offerPolls(model, step);
  offerHints(model, step);
  offerLoads(model, step);
  offerJumps(model, step);
  offerQuestions(model, step);
  offerFaults(model, step);
  offerStrangers(model, step);
}
