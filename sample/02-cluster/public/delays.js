import { Chart, MARGIN } from './chart.js';
import { inWords } from './words.js';

/** The axis is logarithmic: a push notification takes milliseconds, a poll up to seconds (ms). */
const LEAST = 1;
const MOST = 20_000;
const BOTTOM = 24;

/** For how long after each logout the other instances still accepted. */
export class Delays extends Chart {
  draw(history) {
    this.begin(history.now);
    this.axis({ withWords: true });
    for (const delay of [1, 10, 100, 1_000, 10_000]) {
      const y = Math.round(this.#y(delay)) + 0.5;
      this.#across(y, 'grid');
      const words = delay < 1_000 ? `${delay} ms` : `${delay / 1_000} s`;
      this.text(words, MARGIN.left - 6, y + 4, { align: 'right' });
    }
    this.#across(this.#y(history.last.maxStaleness), 'ink', [4, 4]);
    this.inside((context) => {
      for (const [name, at, delay] of history.delays) {
        const colour = this.colour(`instance-${name}`);
        shapeOf(name)(context, this.x(at), this.#y(delay), colour);
      }
    });
  }

  #y(delay) {
    const share = Math.log(Math.max(delay, LEAST) / LEAST) / Math.log(MOST / LEAST);
    return this.height - BOTTOM - share * (this.height - BOTTOM - 8);
  }

  #across(y, colour, dash = []) {
    const ends = [
      [MARGIN.left, y],
      [this.width - MARGIN.right, y],
    ];
    this.line(ends, colour, { dash });
  }
}

/** The median and the worst of the last half minute, for each instance. */
export function showMedians(list, { delays, last }) {
  const rows = last.instances.map(({ name }) => {
    const sorted = delays.flatMap(([by, , delay]) => (by === name ? [delay] : []));
    sorted.sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    const worst = sorted.at(-1);
    return [name, median === undefined ? ['–', ''] : [inWords(median), `worst ${inWords(worst)}`]];
  });
  if (list.childElementCount === 0) list.append(...rows.map(([name]) => rowOf(name)));
  for (const [index, [, words]] of rows.entries()) {
    const [first, second] = list.children[index].querySelectorAll('dd');
    first.textContent = words[0];
    second.textContent = words[1];
  }
}

function rowOf(name) {
  const row = document.createElement('div');
  const term = document.createElement('dt');
  term.textContent = `${{ A: '●', B: '■', C: '▲' }[name] ?? '●'} ${name}, half within`;
  term.dataset.instance = name;
  row.append(term, document.createElement('dd'), document.createElement('dd'));
  return row;
}

/** They differ in shape as well as in colour. */
function shapeOf(name) {
  return { B: square, C: triangle }[name] ?? circle;
}

function circle(context, x, y, colour) {
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}

function square(context, x, y, colour) {
  context.fillStyle = colour;
  context.fillRect(x - 3.5, y - 3.5, 7, 7);
}

function triangle(context, x, y, colour) {
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x + 4.5, y + 3.5);
  context.lineTo(x - 4.5, y + 3.5);
  context.fillStyle = colour;
  context.fill();
}
