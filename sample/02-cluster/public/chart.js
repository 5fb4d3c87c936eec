import { SHOWN } from './history.js';

const STEP = 5_000;
/** Room for words at the left and the right of every time axis (px). */
export const MARGIN = { left: 54, right: 14 };

/**
 * A canvas that is as sharp as the screen, with a time axis that all of them share.
 *
 * The colours are those of the style sheet, so that light and dark are decided in one place.
 */
export class Chart {
  #style;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.#style = getComputedStyle(canvas);
  }

  begin(now) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = globalThis.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      Object.assign(this.canvas, { width: w, height: h });
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.context.font = `12px ${this.#style.fontFamily}`;
    this.context.textBaseline = 'alphabetic';
    Object.assign(this, { width, height, now });
  }

  colour(name) {
    return this.#style.getPropertyValue(`--${name}`);
  }

  x(at) {
    const inner = this.width - MARGIN.left - MARGIN.right;
    return MARGIN.left + inner * (1 - (this.now - at) / SHOWN);
  }

  /** Draws nothing outside of the axis. */
  inside(draw) {
    const { context, width, height } = this;
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, 0, width - MARGIN.left - MARGIN.right, height);
    context.clip();
    draw(context);
    context.restore();
  }

  line(points, colour, { width = 1, dash = [] } = {}) {
    const { context } = this;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y);
    context.setLineDash(dash);
    context.lineWidth = width;
    context.strokeStyle = this.colour(colour);
    context.stroke();
    context.setLineDash([]);
  }

  text(words, x, y, { colour = 'soft', align = 'left' } = {}) {
    this.context.textAlign = align;
    this.context.fillStyle = this.colour(colour);
    this.context.fillText(words, x, y);
  }

  /** A line each five seconds, in words where there is room for them. */
  axis({ withWords = false } = {}) {
    const bottom = this.height - (withWords ? 18 : 0);
    for (let ago = 0; ago <= SHOWN; ago += STEP) {
      const x = Math.round(this.x(this.now - ago)) + 0.5;
      this.line(
        [
          [x, 0],
          [x, bottom],
        ],
        'grid',
      );
      const words = ago === 0 ? 'now' : `−${ago / 1_000} s`;
      if (withWords)
        this.text(words, x, this.height - 4, { align: ago === 0 ? 'right' : 'center' });
    }
  }

  /** Logins, logouts and bounds, through all lanes; in words where they happened. */
  marks(marks, name) {
    this.inside((context) => {
      let free = 0;
      for (const { at, text, kind, on } of marks) {
        if (at > this.now) continue;
        const x = Math.round(this.x(at)) + 0.5;
        const colour = kind === 'login' ? 'accepted' : 'ink';
        const dash = kind === 'bound' ? [4, 4] : [];
        const ends = [
          [x, 0],
          [x, this.height],
        ];
        this.line(ends, colour, { width: 1.5, dash });
        // No words on top of other words; the line alone is enough.
        if ((kind !== 'bound' && on !== name) || x < free) continue;
        this.text(text, x + 5, 12, { colour: 'ink' });
        free = x + 12 + context.measureText(text).width;
      }
    });
  }
}
