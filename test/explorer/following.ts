import { only } from './cells.js';
import { hasJumpedBeyond } from './histories.js';
import { judge } from './judging.js';
import { load } from './loading.js';
import { type Model, nameOf, type Step } from './model.js';
import { addGap, addToIndex, forget } from './numbering.js';
import { promiseAlarm, remembered } from './promises.js';
import { copyRow } from './rows.js';
import { ABSENT, FOREVER, type Instance, NUMBERED, PENDING, type Poll } from './world.js';
import { answerWrongly, receiveWrongly } from './wrong-feeds.js';

const SENT = 1;
export const ANSWERED = 2;
/** F1 off: the events have been read, and the pending ones have not. */
const HALF = 3;

/** F: a poll is sent, answered by the database, and received, each in its own step. */
export function offerPolls(model: Model, step: Step): void {
  if (model.scope.feed === 'push alone') return;
  for (const instance of model.world.instances) {
    const { own, polls } = instance;
    if (own.up === 0 || own.loading !== 0) continue;
    if (canSend(model, instance)) {
      const free = polls.find(({ sent }) => sent.stage === 0);
      if (free !== undefined) {
        step(
          () => `${nameOf(instance)} sends a poll from position ${own.cursor}`,
          () => send(model, instance, free),
        );
      }
    }
    for (const poll of polls) offerAnswer(model, step, instance, poll);
  }
}

function offerAnswer(model: Model, step: Step, instance: Instance, poll: Poll): void {
  const { stage, order } = poll.sent;
  const which = order > 1 ? 'later poll' : 'poll';
  if (stage === SENT) {
    step(
      () => `the database answers ${nameOf(instance)}'s ${which}`,
      () => answer(model, instance, poll),
    );
  } else if (stage === HALF) {
    step(
      () => `the database returns the pending events to ${nameOf(instance)}`,
      () => readPending(model, poll),
    );
  } else if (stage === ANSWERED) {
    step(
      () => `${nameOf(instance)} receives the answer to its ${which}`,
      () => receive(model, instance, poll),
    );
  }
}

/** F4: nothing is proven before the registration is committed. */
export function canSend({ rules }: Model, { own }: Instance): boolean {
  return own.registered === 1 || !rules['F4 registered'];
}

/** F2, F4: the cursor, the known ids and the time of sending are kept for the judgement. */
export function send(model: Model, instance: Instance, { sent }: Poll): void {
  const { own, polls } = instance;
  const others = polls.filter((other) => other.sent !== sent && other.sent.stage !== 0);
  for (const other of others) other.sent.order = 1;
  sent.stage = SENT;
  sent.order = others.length + 1;
  sent.sent = model.now;
  sent.cursor = own.cursor;
  sent.cursorId = own.cursorId;
  sent.expected = own.expected;
  if (model.scope.lossy) sent.remembered = remembered(model, instance);
}

/** F1: one statement, one snapshot. */
export function answer(model: Model, instance: Instance, poll: Poll): void {
  const { world, rules, now } = model;
  if (model.scope.managed !== 0) poll.sent.answered = now;
  poll.sent.failovers = world.clock.failovers;
  if (answerWrongly(model, instance, poll)) {
    poll.sent.stage = ANSWERED;
    return;
  }
  const { head, rows } = world.db;
  poll.head.position = head.position;
  poll.head.last = head.last;
  poll.head.purged = head.purged;
  poll.head.bound = head.bound;
  poll.head.life = head.life;
  for (const [slot, row] of rows.entries()) {
    if (row.where === NUMBERED && row.position >= poll.sent.cursor) copyRow(row, poll.rows[slot]!);
  }
  poll.sent.stage = HALF;
  if (rules['F1 one statement']) readPending(model, poll);
}

/** C2: the same statement reads the pending events. */
function readPending({ world, rules }: Model, poll: Poll): void {
  poll.sent.stage = ANSWERED;
  if (!rules['C2']) return;
  for (const [slot, row] of world.db.rows.entries()) {
    const target = poll.rows[slot]!;
    if (row.where === PENDING && target.where === ABSENT) copyRow(row, target);
  }
}

/** F3: an answer is judged, and then counts or does not. */
export function receive(model: Model, instance: Instance, poll: Poll): void {
  const { world, rules, now } = model;
  const { own } = instance;
  if (receiveWrongly(model, instance, poll)) {
    world.clear(poll);
    return;
  }
  const judgement = judge(model, instance, poll);
  const moment = rules['F4'] ? poll.sent.sent : now;
  if (judgement === 'right') {
    apply(model, instance, poll);
    const isOfNow = poll.sent.failovers === world.clock.failovers;
    if (isOfNow) promiseAlarm(model, instance, poll.sent.remembered);
    if (isOfNow) own.uncovered = 0;
    if (own.closed === 0) own.proof = Math.max(own.proof, moment + 1);
    if (rules['F2 later']) dropOthers(model, instance, poll);
  } else if (judgement === 'unregistered') {
    own.registered = 0;
  } else {
    recover(model, instance, judgement);
    if (!rules['H1 closed']) own.proof = moment + 1;
  }
  world.clear(poll);
}

/** Adds the events to what is known, and moves the cursor to the head. What it reported is no longer provisional (W4). */
function apply(model: Model, instance: Instance, { head, rows, sent }: Poll): void {
  const { rules, scope, now } = model;
  const { own } = instance;
  let pending = 0;
  let numbered = 0;
  for (const [slot, row] of rows.entries()) {
    if (row.where === ABSENT) continue;
    if (isUnknownKind(model, instance, slot)) continue;
    if (row.where === NUMBERED) {
      numbered |= only(slot);
      if (slot >= scope.firstJump) addGap(instance, slot, row);
      else if (row.until > now) addToIndex(instance, slot, row);
    } else {
      pending |= only(slot);
      const killsBelow = rules['C2 next'] ? head.position + 1 : FOREVER;
      const until = rules['C3'] ? sent.answered + head.life : row.until;
      if (until > now) addToIndex(instance, slot, { killsBelow, until });
    }
  }
  if (head.position > own.cursor) {
    own.cursor = head.position;
    own.cursorId = head.last;
  }
  own.highest = Math.max(own.highest, head.position);
  forget(instance, numbered | passed(instance));
  own.expected |= pending & ~sent.written;
  own.provisional &= ~(numbered | pending);
}

/** Own writes that the cursor has reached: the log contains them below it. */
function passed({ own, known }: Instance): number {
  return known.reduce(
    (set, { position }, slot) => (position > 0 && position <= own.cursor ? set | only(slot) : set),
    0,
  );
}

/** H5: an old release closes when it reads an unknown kind. */
function isUnknownKind({ scope, rules }: Model, { index, own }: Instance, slot: number): boolean {
  if (scope.kinds[slot] !== 'future' || scope.old !== index) return false;
  if (rules['H5']) {
    own.closed = 1;
    own.proof = 0;
  }
  return true;
}

function dropOthers({ world }: Model, { polls }: Instance, accepted: Poll): void {
  for (const poll of polls) {
    // The later of the two sendings: the poll that was sent first may be answered last.
    if (poll !== accepted) world.clear(poll);
  }
}

/** H1, H3, X3: it closes, then reloads. After a fork it also jumps. */
function recover(model: Model, instance: Instance, judgement: 'fork' | 'reload'): void {
  const { scope, world } = model;
  const { own } = instance;
  own.proof = 0;
  if (judgement === 'fork') {
    model.forbid(world.clock.lossy === 0, 'no false fork: nothing was lost');
    own.noticed = 1;
    if (!hasJumpedBeyond(model, own.highest)) own.mustJump = 1;
  }
  if (scope.loadsInSteps) own.loading = 1;
  else load(model, instance);
}

/** In healthy rounds: one poll from sending to receipt, without loss or delay. */
export function pollNow(model: Model, instance: Instance): void {
  const poll = instance.polls[0]!;
  for (const each of instance.polls) model.world.clear(each);
  if (!canSend(model, instance)) return;
  send(model, instance, poll);
  answer(model, instance, poll);
  if (poll.sent.stage === HALF) readPending(model, poll);
  receive(model, instance, poll);
}
