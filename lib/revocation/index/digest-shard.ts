import type { DigestLayout } from './digest-table.js';

/** The `until` of an entry that never expires. */
export const FOREVER = 0xffffffff;

/**
 * The number of 32-bit words of a slot before its payload: four for the key and one for `until`.
 */
export const KEY_AND_UNTIL = 5;
/** The index of `until` (epoch seconds) among them. */
export const UNTIL = 4;

/**
 * The note byte. The caller uses the seven low bits; the highest bit means "seen since `unsee()`".
 */
export const SEEN = 0x80;
export const NOTE = 0x7f;

/**
 * One small open-addressing table of a `DigestTable`. Slot `i` of each array belongs to the same
 * entry.
 */
export interface DigestShard {
  readonly capacity: number;
  count: number;
  /** No entry expires before this, so that a sweep can skip the shard. */
  earliest: number;
  /** 0 = the slot is free. */
  readonly tags: Uint8Array;
  readonly notes: Uint8Array;
  readonly words: Uint32Array;
}

/**
 * Used in place of every shard without entries, so that a search needs no check for `undefined`. It
 * ends at its one free tag.
 */
export const NO_SHARD: DigestShard = {
  capacity: 0,
  count: 0,
  earliest: FOREVER,
  tags: new Uint8Array(1),
  notes: new Uint8Array(0),
  words: new Uint32Array(0),
};

/** The capacity of a shard with its first entry, and the smallest capacity that it shrinks to. */
export const FIRST_CAPACITY = 8;
/**
 * After a sweep, a shard with a load below `MIN_LOAD` shrinks to `LOAD_AFTER_SHRINKING`. That
 * leaves room, so that the shard does not grow again at once.
 */
const MIN_LOAD = 0.3;
const LOAD_AFTER_SHRINKING = 0.6;

/** Copies all entries of a shard into an empty one of another capacity. */
export function copyAll(from: DigestShard, to: DigestShard, layout: DigestLayout): void {
  for (let slot = 0; slot < from.capacity; slot++) {
    if (from.tags[slot] === 0) continue;
    let target = homeOf(from, slot, to.capacity, layout);
    while (to.tags[target] !== 0) target = target + 1 === to.capacity ? 0 : target + 1;
    copy(from, slot, to, target, layout.stride);
  }
  to.count = from.count;
  to.earliest = from.earliest;
}

/**
 * Removes every entry that expired before `now`, and updates `earliest`.
 *
 * @returns the capacity that the shard should have from now on.
 */
export function sweepShard(shard: DigestShard, now: number, layout: DigestLayout): number {
  let earliest = FOREVER;
  for (let slot = 0; slot < shard.capacity;) {
    const until = shard.words[slot * layout.stride + UNTIL]!;
    if (shard.tags[slot] === 0) slot++;
    // The removal may move another entry into this slot, so the same slot is visited again.
    else if (until < now) remove(shard, slot, layout);
    else {
      if (until < earliest) earliest = until;
      slot++;
    }
  }
  shard.earliest = earliest;
  const { count, capacity } = shard;
  if (count === 0) return 0;
  if (count >= capacity * MIN_LOAD || capacity === FIRST_CAPACITY) return capacity;
  return Math.max(FIRST_CAPACITY, Math.ceil(count / LOAD_AFTER_SHRINKING));
}

/** How many entries that expire at `now` or later were not seen since the last `unsee()`. */
export function countUnseenIn(shard: DigestShard, now: number, { stride }: DigestLayout): number {
  const { tags, notes, words } = shard;
  let unseen = 0;
  for (let slot = 0; slot < tags.length; slot++) {
    if (tags[slot] === 0 || notes[slot]! >= SEEN) continue;
    if (words[slot * stride + UNTIL]! >= now) unseen++;
  }
  return unseen;
}

/**
 * Empties a slot without a tombstone (backward-shift deletion): entries after it move closer to
 * their home slots. Tombstones would make every later search longer.
 */
function remove(shard: DigestShard, slot: number, layout: DigestLayout): void {
  const { capacity, tags } = shard;
  let hole = slot;
  for (let next = slot; ;) {
    if (++next === capacity) next = 0;
    if (tags[next] === 0) break;
    const home = homeOf(shard, next, capacity, layout);
    const fromHome = next >= home ? next - home : next - home + capacity;
    const fromHole = next >= hole ? next - hole : next - hole + capacity;
    if (fromHome < fromHole) continue;
    copy(shard, next, shard, hole, layout.stride);
    hole = next;
  }
  tags[hole] = 0;
  shard.count--;
}

function copy(
  from: DigestShard,
  slot: number,
  to: DigestShard,
  target: number,
  stride: number,
): void {
  const source = slot * stride;
  const sink = target * stride;
  to.tags[target] = from.tags[slot]!;
  to.notes[target] = from.notes[slot]!;
  for (let i = 0; i < stride; i++) to.words[sink + i] = from.words[source + i]!;
}

/** The slot at which the search for an entry starts, in a shard of some capacity. */
function homeOf(
  { words }: DigestShard,
  slot: number,
  capacity: number,
  layout: DigestLayout,
): number {
  return layout.home(layout.hash(words, slot * layout.stride), capacity);
}
