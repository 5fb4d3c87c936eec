import { has, only } from './cells.js';
import type { Model } from './model.js';
import { ABSENT, type Instance, NUMBERED, type Poll } from './world.js';

export type Judgement = 'right' | 'reload' | 'fork' | 'unregistered';

/** F2, F3, X3: judges an answer by the cursor and the ids at its sending. */
export function judge(model: Model, instance: Instance, poll: Poll): Judgement {
  const { scope, rules } = model;
  const sent = rules['F2 sending'] ? poll.sent : instance.own;
  const { head } = poll;
  if (rules['F3 history']) {
    if (head.position < sent.cursor) return 'fork';
    if (sent.cursor > 0 && !holdsCursor(poll, sent)) {
      return sent.cursor <= head.purged && rules['X3 reload'] ? 'reload' : 'fork';
    }
    if (head.position === sent.cursor && head.last !== sent.cursorId) return 'fork';
  }
  if (hasGap(poll, sent.cursor)) return 'fork';
  const due =
    (rules['F3 known'] ? sent.expected : 0) |
    (rules['F3 written since'] ? writtenSince(instance, poll) : 0);
  if (lacksKnown(poll, due)) return head.purged > sent.cursor ? 'reload' : 'fork';
  if (scope.registering) {
    const bound = scope.bounds[instance.index] as number;
    const life = scope.lives[instance.index] as number;
    const isRegistered = head.bound >= bound && head.life >= life;
    const isAsked = rules['H4'] && rules['F4 registered'] && rules['F3 registered'];
    if (!isRegistered && isAsked) return 'unregistered';
  }
  return 'right';
}

function holdsCursor(
  { rows }: Poll,
  { cursor, cursorId }: { readonly cursor: number; readonly cursorId: number },
): boolean {
  const row = rows[cursorId - 1];
  return row?.where === NUMBERED && row.position === cursor;
}

/** Whether there is no gap above `purged_through`. */
function hasGap({ head, rows }: Poll, cursor: number): boolean {
  for (let next = Math.max(cursor, head.purged) + 1; next <= head.position; next++) {
    if (!rows.some(({ where, position }) => where === NUMBERED && position === next)) return true;
  }
  return false;
}

/**
 * Own writes since the sending whose positions the answer reaches: the expected ones, and the one that
 * moved the cursor. Another history may have given that position to another event.
 */
function writtenSince({ own, known }: Instance, { sent, rows }: Poll): number {
  const through = rows.reduce((last, { position }) => Math.max(last, position), sent.cursor);
  const isReached = (position: number): boolean => position > sent.cursor && position <= through;
  const waiting = known.reduce(
    (set, { position }, slot) => (isReached(position) ? set | only(slot) : set),
    0,
  );
  return isReached(own.cursor) ? waiting | only(own.cursorId - 1) : waiting;
}

function lacksKnown({ rows }: Poll, expected: number): boolean {
  return rows.some(({ where }, slot) => where === ABSENT && has(expected, slot));
}
