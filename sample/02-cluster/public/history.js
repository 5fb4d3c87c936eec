/** What the time axis shows (ms). */
export const SHOWN = 30_000;

/**
 * The last half minute of everything that was seen; times in ms by the clock of the sample, which this
 * page follows without a clock of its own.
 */
export class History {
  /** @type {object | null} The last tick. */
  last = null;
  decisions = [];
  delays = [];
  /** By instance: { at, state, isCut, staleness, answers }. */
  samples = new Map();
  /** { at, text, kind } */
  marks = [];
  #offset = -Infinity;

  add(tick) {
    const before = this.last;
    this.last = tick;
    // The fastest tick is the best measure of the offset between the two clocks.
    this.#offset = Math.max(this.#offset, tick.now - performance.now());
    this.decisions.push(...tick.decisions);
    this.delays.push(...tick.delays);
    for (const instance of tick.instances) this.#sample(tick, instance);
    this.#mark(tick.watched, before?.watched ?? null, tick.maxStaleness);
    this.#forget(tick.now - SHOWN - 1_000);
  }

  /** The current time of the sample. */
  get now() {
    return performance.now() + this.#offset;
  }

  samplesOf(name) {
    return this.samples.get(name) ?? [];
  }

  /** Answers in a second, over the last two. */
  rateOf(name) {
    const samples = this.samplesOf(name);
    const end = samples.at(-1);
    const start = samples.find(({ at }) => at >= (end?.at ?? 0) - 2_000);
    if (end === undefined || start === undefined || end.at === start.at) return 0;
    return Math.max(0, ((end.answers - start.answers) * 1_000) / (end.at - start.at));
  }

  #sample({ now }, { name, state, isCut, knowledge, tally }) {
    const proofAt = knowledge?.proofAt ?? null;
    const answers = tally.accepted + tally.refused + tally.unknown;
    const staleness = proofAt === null ? null : Math.max(0, now - proofAt);
    if (!this.samples.has(name)) this.samples.set(name, []);
    this.samples.get(name).push({ at: now, state, isCut, staleness, answers });
  }

  #mark(now, before, maxStaleness) {
    if (now !== null && now.loggedInAt !== before?.loggedInAt) {
      const text = `login on ${now.loggedInOn}`;
      this.marks.push({ at: now.loggedInAt, text, kind: 'login', on: now.loggedInOn });
    }
    if (now?.loggedOutAt && now.loggedOutAt !== before?.loggedOutAt) {
      const on = now.loggedOutOn;
      this.marks.push({ at: now.loggedOutAt, text: `logout on ${on}`, kind: 'logout', on });
      const at = now.loggedOutAt + maxStaleness;
      this.marks.push({ at, text: 'bound', kind: 'bound', on });
    }
  }

  #forget(before) {
    this.decisions = this.decisions.filter(([, at]) => at >= before);
    this.delays = this.delays.filter(([, at]) => at >= before);
    this.marks = this.marks.filter(({ at }) => at >= before);
    for (const [name, samples] of this.samples) {
      this.samples.set(
        name,
        samples.filter(({ at }) => at >= before),
      );
    }
  }
}
