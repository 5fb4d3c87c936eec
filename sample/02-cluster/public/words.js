/** @param {number} milliseconds */
export function inWords(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** An answer takes no longer, even of a busy machine (ms). */
const PATIENCE = 700;

/** Its last answer, or `waiting` if the next one takes long. */
export function answerOf({ watched, now }, name) {
  const { last, waitingSince } = watched?.on[name] ?? { last: null, waitingSince: null };
  return waitingSince !== null && now - waitingSince > PATIENCE ? 'waiting' : last;
}

/** What an instance answers to the watched token. */
export function verdictOf(tick, name) {
  if (tick.watched === null) return 'No one is logged in.';
  const { refusedAfter } = tick.watched.on[name];
  const last = answerOf(tick, name);
  if (last === 'waiting') return 'a request waits for its answer';
  if (last === 'refused') {
    if (refusedAfter === null) return '401 · refuses the token';
    return `401 · refused ${inWords(refusedAfter)} after the logout`;
  }
  if (last === 'accepted') return '200 · accepts the token';
  if (last === 'unknown') return '503 · cannot prove freshness, so does not accept';
  return last === 'silent' ? 'no answer' : 'not asked yet';
}

export function stateOf({ state, isCut }) {
  return isCut && state !== 'gone' ? `${state}, no database` : state;
}
