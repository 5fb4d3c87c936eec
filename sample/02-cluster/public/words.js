/** @param {number} milliseconds */
export function inWords(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** What an instance makes of the token that is watched. */
export function verdictOf(watched, name) {
  if (watched === null) return 'Nobody is logged in.';
  const { last, refusedAfter } = watched.on[name];
  if (last === 'refused') {
    if (refusedAfter === null) return '401 · refuses the token';
    return `401 · refused ${inWords(refusedAfter)} after the logout`;
  }
  if (last === 'accepted') return '200 · accepts the token';
  if (last === 'unknown') return '503 · cannot tell, so does not accept';
  return last === 'silent' ? 'no answer' : 'not asked yet';
}

export function stateOf({ state, isCut }) {
  return isCut && state !== 'gone' ? `${state}, no database` : state;
}
