import { has, only } from './cells.js';
import type { Rules } from './rules.js';
import type { Scope } from './scope.js';
import { FOREVER, type Instance, NUMBERED, World } from './world.js';

/** Offers one step to the explorer: its name, and how it changes the world. */
export type Step = (tell: () => string, change: () => void) => void;

/** A step that breaks a promise. The explorer catches it, never a rule. */
export class BrokenPromise extends Error {}

/** One scope under one set of rules, with the current state. */
export class Model {
  readonly world: World;

  constructor(
    readonly scope: Scope,
    readonly rules: Rules,
  ) {
    this.world = new World(scope);
  }

  /** All instances are up and fresh at tick 0, after one event that concerns no token. */
  begin(): void {
    const { scope, world } = this;
    const { db, clock, events } = world;
    clock.server = 1;
    db.head.server = 1;
    if (!scope.registering) {
      db.head.bound = Math.max(...scope.bounds);
      db.head.life = Math.max(...scope.lives);
    } else {
      db.head.bound = scope.bounds[0] as number;
      db.head.life = scope.lives[0] as number;
    }
    if (!scope.empty) {
      const row = db.rows[0]!;
      row.where = NUMBERED;
      row.position = 1;
      row.until = scope.purge ? 1 : FOREVER;
      db.head.position = 1;
      db.head.last = 1;
      events[0]!.effective = 1;
      clock.sequence = 1;
    }
    for (const { own, index } of world.instances) {
      const isRegistered = !scope.registering || index === 0;
      own.up = 1;
      own.proof = isRegistered ? 1 : 0;
      own.cursor = db.head.position;
      own.cursorId = db.head.last;
      own.highest = db.head.position;
      own.registered = isRegistered ? 1 : 0;
    }
    for (const [session, state] of scope.sessions.entries()) {
      if (state === 'out') continue;
      const row = db.sessions[session]!;
      row.row = 1;
      row.gen = db.head.position;
      const token = world.tokens[session]!;
      token.live = 1;
      token.gen = db.head.position;
      token.expires = scope.lives[0] as number;
    }
  }

  get now(): number {
    return this.world.clock.now;
  }

  /** Reports a broken promise if `found`. */
  forbid(found: boolean, promise: string): void {
    if (found) throw new BrokenPromise(promise);
  }

  /** Whether an event at this position revokes a token of this generation (G3). */
  kills(slot: number, killsBelow: number, gen: number): boolean {
    return has(this.scope.judged, slot) ? gen < killsBelow : true;
  }

  /** Whether an event concerns a token at all. */
  concerns(slot: number, token: number): boolean {
    return has(this.scope.concerning[token] as number, slot);
  }

  /** The session of a token. Tokens of refreshes belong to the first session. */
  sessionOf(token: number): number {
    return token < this.scope.sessions.length ? token : 0;
  }

  /** The events of such a set that have taken effect so far. */
  effective(among: number): number {
    let set = 0;
    for (const [slot, event] of this.world.events.entries()) {
      if (event.effective === 1 && has(among, slot)) set |= only(slot);
    }
    return set;
  }
}

/** The names of a counter-example: instances A, B, C; sessions S, T, U; events E1, E2; jumps J1, J2. */
export function nameOf(instance: Instance | number): string {
  return 'ABC'[typeof instance === 'number' ? instance : instance.index] ?? '?';
}

export function sessionName(session: number): string {
  return 'STU'[session] ?? '?';
}

export function eventName({ scope }: Model, slot: number): string {
  if (slot === 0) return 'E0';
  return slot < scope.firstJump ? `E${slot}` : `J${slot - scope.firstJump + 1}`;
}

/** The name of an event with its kind, for the step that writes it. */
export function eventTitle(model: Model, slot: number): string {
  const plan = model.scope.events[slot - 1];
  const kind = plan?.kind ?? 'history';
  const of = sessionName(plan?.target ?? 0);
  const what =
    kind === 'subject except'
      ? `all sessions but ${of}`
      : kind === 'session'
        ? `session ${of}`
        : kind === 'token'
          ? `the token of ${of}`
          : kind === 'subject'
            ? 'all sessions'
            : kind === 'access only'
              ? 'all access tokens'
              : kind;
  return `${eventName(model, slot)} (${what})`;
}
