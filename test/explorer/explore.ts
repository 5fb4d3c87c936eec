import { forgetWhatIsOver } from './canonical.js';
import { checkNotStuck } from './healthy.js';
import { BrokenPromise, Model, type Step } from './model.js';
import { checkPromises } from './promises.js';
import type { Rules } from './rules.js';
import type { Scope } from './scope.js';
import { StateSet } from './state-set.js';
import { offerSteps } from './steps.js';

/** A broken promise, and a shortest path to it. */
export interface CounterExample {
  readonly promise: string;
  readonly steps: readonly string[];
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** Whether every reachable state was visited. */
  readonly complete: boolean;
  readonly violation: CounterExample | undefined;
}

/**
 * Visits every state of a scope, breadth first, and checks each promise in each state. So the first
 * violation that it finds is a shortest one.
 *
 * @param limit - The number of states after which it gives up. Default: no limit.
 */
export function explore(scope: Scope, rules: Rules, limit = Infinity): Exploration {
  const model = new Model(scope, rules);
  const { bytes } = model.world;
  model.begin();
  const states = new StateSet(bytes.length);
  states.add(bytes, 0);
  const base = new Uint8Array(bytes.length);
  let current = 0;
  let steps = 0;
  const visit: Step = (tell, change) => {
    steps++;
    bytes.set(base);
    try {
      change();
      checkPromises(model);
      forgetWhatIsOver(model);
    } catch (error) {
      bytes.set(base);
      throw new Violation(current, tell(), promiseOf(error));
    }
    states.add(bytes, current);
    bytes.set(base);
  };
  try {
    for (; current < states.size; current++) {
      if (states.size > limit) break;
      states.read(current, base);
      bytes.set(base);
      try {
        checkNotStuck(model);
      } catch (error) {
        throw new Violation(current, undefined, promiseOf(error));
      }
      bytes.set(base);
      offerSteps(model, visit);
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const path = pathTo(model, states, error.state);
    if (error.last !== undefined) path.push(error.last);
    const violation = { promise: error.promise, steps: path };
    return { states: states.size, steps, complete: false, violation };
  }
  return { states: states.size, steps, complete: current === states.size, violation: undefined };
}

class Violation extends Error {
  constructor(
    readonly state: number,
    readonly last: string | undefined,
    readonly promise: string,
  ) {
    super(promise);
  }
}

function promiseOf(error: unknown): string {
  if (error instanceof BrokenPromise) return error.message;
  throw error;
}

/** The steps from the first state to this one. They are taken again, and recognised by the state they lead to. */
function pathTo(model: Model, states: StateSet, target: number): string[] {
  const { bytes } = model.world;
  const chain: number[] = [];
  for (let state = target; state !== 0; state = states.parentOf(state)) chain.unshift(state);
  const base = new Uint8Array(bytes.length);
  const wanted = new Uint8Array(bytes.length);
  return chain.map((state) => {
    states.read(states.parentOf(state), base);
    states.read(state, wanted);
    bytes.set(base);
    let found: string | undefined;
    offerSteps(model, (tell, change) => {
      if (found !== undefined) return;
      bytes.set(base);
      const text = tell();
      try {
        change();
        checkPromises(model);
        forgetWhatIsOver(model);
        if (Buffer.compare(bytes, wanted) === 0) found = text;
      } catch (error) {
        promiseOf(error);
      }
      bytes.set(base);
    });
    if (found === undefined) throw new Error(`No step leads to state ${state}.`);
    return found;
  });
}
