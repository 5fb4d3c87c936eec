import { Chart, MARGIN } from './chart.js';

const BASE = 46;
const UP = 26;
const DOWN = 22;
const AREA_TOP = 78;

/** One lane's half minute: its decisions above, the age of its last proof below. */
export class Strip extends Chart {
  #name;

  constructor(canvas, name) {
    super(canvas);
    this.#name = name;
    canvas.setAttribute('aria-label', `The last half minute of ${name}`);
  }

  draw(history) {
    const samples = history.samplesOf(this.#name);
    this.begin(history.now);
    this.axis();
    this.inside(() => this.#shade(samples));
    this.#staleness(samples, history.last.maxStaleness);
    this.#decisions(history.decisions);
    this.marks(history.marks, this.#name);
  }

  /** Where it was paused or gone, and where it had no database. */
  #shade(samples) {
    const { context, height } = this;
    for (const [from, to, kind] of stretches(samples)) {
      const [x1, x2] = [this.x(from), this.x(to)];
      context.save();
      context.beginPath();
      context.rect(x1, 0, x2 - x1, height);
      context.clip();
      if (kind === 'cut') {
        context.fillStyle = this.colour('cut');
        context.fillRect(x1, height - 5, x2 - x1, 5);
      } else {
        this.#hatch(x1, x2, kind === 'gone' ? 6 : 10);
      }
      context.restore();
      const words = { paused: 'paused', gone: 'gone', cut: 'no database' }[kind];
      const y = kind === 'cut' ? height - 10 : AREA_TOP - 6;
      if (x2 - x1 > 70) this.text(words, Math.max(x1, MARGIN.left) + 6, y, { colour: 'ink' });
    }
  }

  #hatch(x1, x2, gap) {
    const { context, height } = this;
    context.beginPath();
    // From the start of the data, not of the screen: it moves along with the time.
    for (let x = x1 - height; x < x2; x += gap) {
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
    }
    context.strokeStyle = this.colour('hatch');
    context.lineWidth = 1;
    context.stroke();
  }

  #staleness(samples, lease) {
    const { context, height } = this;
    const y = (staleness) => height - (staleness / (lease * 1.5)) * (height - AREA_TOP);
    const known = samples.filter(({ staleness }) => staleness !== null);
    this.inside(() => {
      context.beginPath();
      context.rect(0, AREA_TOP, this.width, height);
      context.clip();
      for (const piece of unbroken(known)) {
        context.beginPath();
        context.moveTo(this.x(piece[0].at), height);
        for (const { at, staleness } of piece) context.lineTo(this.x(at), y(staleness));
        context.lineTo(this.x(piece.at(-1).at), height);
        context.fillStyle = this.colour('area');
        context.fill();
        context.save();
        context.clip();
        context.fillStyle = this.colour('over');
        context.fillRect(0, 0, this.width, y(lease));
        context.restore();
        this.line(
          piece.map(({ at, staleness }) => [this.x(at), y(staleness)]),
          'area-line',
          { width: 1.5 },
        );
      }
    });
    const ends = [
      [MARGIN.left, y(lease)],
      [this.width - MARGIN.right, y(lease)],
    ];
    this.line(ends, 'unknown', { dash: [2, 3] });
    this.text('lease', MARGIN.left - 6, y(lease) + 4, { align: 'right' });
    this.text('0 s', MARGIN.left - 6, height - 2, { align: 'right' });
  }

  #decisions(decisions) {
    this.text('200', MARGIN.left - 6, BASE - UP + 12, { align: 'right', colour: 'accepted' });
    this.text('401', MARGIN.left - 6, BASE + DOWN, { align: 'right', colour: 'refused' });
    const ends = [
      [MARGIN.left, BASE + 0.5],
      [this.width - MARGIN.right, BASE + 0.5],
    ];
    this.line(ends, 'line');
    this.inside((context) => {
      for (const [name, at, decision] of decisions) {
        if (name !== this.#name) continue;
        const x = this.x(at);
        context.fillStyle = this.colour(decision);
        context.strokeStyle = this.colour(decision);
        if (decision === 'accepted') context.fillRect(x - 1, BASE - UP, 2, UP);
        else if (decision === 'refused') context.fillRect(x - 1, BASE + 1, 2, DOWN);
        else if (decision === 'unknown') diamond(context, x, BASE, 6);
        else ring(context, x, BASE, 2.5);
      }
    });
  }
}

/** From when to when it was in an unusual state. */
function stretches(samples) {
  const found = [];
  const kinds = {
    paused: ({ state }) => state === 'paused',
    gone: ({ state }) => state === 'gone' || state === 'starting',
    cut: ({ isCut, state }) => isCut && state !== 'gone',
  };
  for (const [kind, is] of Object.entries(kinds)) {
    let from;
    for (const sample of samples) {
      if (is(sample)) from ??= sample.at;
      else if (from !== undefined) {
        found.push([from, sample.at, kind]);
        from = undefined;
      }
    }
    if (from !== undefined) found.push([from, samples.at(-1).at + 1_000, kind]);
  }
  return found;
}

/** Pieces without a gap: while an instance is down, nothing is known of it. */
function unbroken(samples) {
  const pieces = [];
  for (const sample of samples) {
    const piece = pieces.at(-1);
    if (piece !== undefined && sample.at - piece.at(-1).at < 1_000) piece.push(sample);
    else pieces.push([sample]);
  }
  return pieces;
}

function diamond(context, x, y, size) {
  context.beginPath();
  context.moveTo(x, y - size);
  context.lineTo(x + size, y);
  context.lineTo(x, y + size);
  context.lineTo(x - size, y);
  context.fill();
}

function ring(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = 1.5;
  context.stroke();
}
