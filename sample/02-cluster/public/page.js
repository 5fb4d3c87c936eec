import { Delays, showMedians } from './delays.js';
import { History } from './history.js';
import { Lane } from './lane.js';
import { play, stepOf } from './story.js';

const KEPT_NOTES = 60;

let history = new History();
const lanes = new Map();
const delays = new Delays(byId('delays'));
const rate = byId('rate');
const calm = matchMedia('(prefers-reduced-motion: reduce)');

const stream = new EventSource('/ticks');
stream.addEventListener('open', () => {
  // The sample sends the last half minute again.
  history = new History();
  byId('notes').replaceChildren();
  say('');
});
stream.addEventListener('message', ({ data }) => show(JSON.parse(data)));
stream.addEventListener('error', () => say('The sample does not answer. Is it still running?'));

rate.addEventListener('input', () => showRate(rate.valueAsNumber));
rate.addEventListener(
  'change',
  () => void attempt(() => press('load', { rate: rate.valueAsNumber })),
);

byId('play').addEventListener('click', ({ currentTarget: button }) => {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  void attempt(() => play(press, () => history.last)).finally(() => {
    button.setAttribute('aria-disabled', 'false');
  });
});

requestAnimationFrame(draw);

function show(tick) {
  history.add(tick);
  for (const note of tick.notes) addNote(note);
  // The last half minute comes all at once; only its end is of interest.
  if (tick.now < history.now - 1_000) return;
  for (const instance of tick.instances) laneOf(instance.name).show(instance, history);
  byId('bound').textContent = `${tick.maxStaleness / 1_000} s`;
  byId('hint').textContent = tick.hint === 'none' ? 'none, polls only' : tick.hint;
  byId('followed').textContent = tick.followed;
  byId('late').textContent = tick.late;
  byId('late-box').classList.toggle('bad', tick.late > 0);
  showMedians(byId('medians'), history);
  for (const [index, step] of [...byId('steps').children].entries()) {
    if (index === stepOf(tick)) step.setAttribute('aria-current', 'step');
    else step.removeAttribute('aria-current');
  }
  if (document.activeElement !== rate && rate.valueAsNumber !== tick.rate) {
    rate.value = tick.rate;
    showRate(tick.rate);
  }
}

function draw() {
  if (history.last !== null) {
    for (const lane of lanes.values()) lane.draw(history);
    delays.draw(history);
  }
  if (calm.matches) setTimeout(draw, 1_000);
  else requestAnimationFrame(draw);
}

function laneOf(name) {
  let lane = lanes.get(name);
  if (lane === undefined) {
    lane = new Lane(name, (instance, act, button) => {
      if (button.getAttribute('aria-disabled') === 'true') return;
      void attempt(() => press(`instances/${instance}/${act}`));
    });
    lanes.set(name, lane);
    byId('lanes').append(lane.element);
  }
  return lane;
}

function addNote([at, sentence]) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  const ago = history.now - at;
  time.textContent = new Date(Date.now() - ago).toLocaleTimeString();
  item.append(time, ` ${sentence}`);
  const notes = byId('notes');
  notes.prepend(item);
  while (notes.childElementCount > KEPT_NOTES) notes.lastElementChild.remove();
}

function showRate(value) {
  byId('rate-shown').textContent = value === 0 ? 'none' : `${value} a second`;
}

async function press(path, body) {
  const response = await fetch(`/${path}`, {
    method: 'POST',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (response.ok) return;
  const { message } = await response.json().catch(() => ({}));
  throw new Error(message ?? `The sample answered ${response.status}.`);
}

async function attempt(act) {
  say('');
  try {
    await act();
  } catch (error) {
    say(error instanceof TypeError ? 'The sample does not answer.' : error.message);
  }
}

function say(sentence) {
  byId('problem').textContent = sentence;
}

function byId(id) {
  return document.getElementById(id);
}
