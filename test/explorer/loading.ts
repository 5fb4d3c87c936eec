import { hasJumpedBeyond, needsJump } from './histories.js';
import { type Model, nameOf, type Step } from './model.js';
import { addGap, addToIndex, forget } from './numbering.js';
import { promiseAlarm, remembered } from './promises.js';
import { ABSENT, type Instance, NUMBERED } from './world.js';

/** The stages of a load in steps: it is due; its first read is done. */
const DUE = 1;
const HALF = 2;

/** F7, H1: loads after a start and after a fork. */
export function offerLoads(model: Model, step: Step): void {
  for (const instance of model.world.instances) {
    const { own } = instance;
    if (own.loading === 0 || (own.up === 0 && needsJump(model, instance))) continue;
    const name = nameOf(instance);
    if (!model.scope.loadsInSteps) {
      step(
        () => `${name} loads the log`,
        () => load(model, instance),
      );
    } else if (own.loading === DUE) {
      step(
        () => `${name} starts to load`,
        () => readFirst(model, instance),
      );
    } else {
      step(
        () => `${name} completes its load`,
        () => readSecond(model, instance),
      );
    }
  }
}

/** Both reads at once. */
export function load(model: Model, instance: Instance): void {
  if (instance.own.loading !== HALF) readFirst(model, instance);
  readSecond(model, instance);
}

/** The head is read first. The polls bring what is committed while the rows are read (F7). */
function readFirst(model: Model, instance: Instance): void {
  instance.own.loading = HALF;
  if (model.rules['F7 head first']) readHead(model, instance);
  else readRows(model, instance, 0xff);
}

function readSecond(model: Model, instance: Instance): void {
  const { rules, scope, now } = model;
  const { own } = instance;
  if (rules['F7 head first']) readRows(model, instance, own.loadPosition);
  else readHead(model, instance);
  if (own.up === 0 || rules['H1 cursor']) {
    own.cursor = own.loadPosition;
    own.cursorId = own.loadLast;
  }
  promiseAlarm(model, instance, remembered(model, instance));
  own.up = 1;
  own.loading = 0;
  own.loadPosition = 0;
  own.loadLast = 0;
  forget(instance, 0xff);
  if (!scope.registering) own.registered = 1;
  if (!rules['F7 closed'] && own.closed === 0) own.proof = now + 1;
}

function readHead({ world }: Model, { own }: Instance): void {
  const { position, last } = world.db.head;
  own.loadPosition = position;
  own.loadLast = last;
  own.highest = Math.max(own.highest, position);
}

/** H1: the loaded events are merged into the known ones. They replace nothing. */
function readRows(model: Model, instance: Instance, through: number): void {
  const { world, rules, now } = model;
  if (!rules['H1 merge']) {
    for (const known of instance.known) {
      known.killsBelow = 0;
      known.until = 0;
    }
  }
  for (const [slot, row] of world.db.rows.entries()) {
    const isLive = row.where === NUMBERED && row.until > now && row.position <= through;
    if (slot >= model.scope.firstJump) {
      if (isLive) addGap(instance, slot, row);
      continue;
    }
    if (isLive) addToIndex(instance, slot, row);
    // X3: an unexpired event that is known here and is not in the log was lost.
    const isLost = row.where === ABSENT && (instance.known[slot]?.until ?? 0) > now;
    if (!isLost || world.events[slot]?.effective !== 1 || !rules['X3 compare']) continue;
    model.forbid(
      world.clock.lossy === 0,
      'no false fork: a known live event is missing in a reload, and nothing was lost',
    );
    instance.own.noticed = 1;
    if (!hasJumpedBeyond(model, instance.own.highest)) instance.own.mustJump = 1;
  }
}
