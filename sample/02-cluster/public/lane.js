import { answerOf, stateOf, verdictOf } from './words.js';
import { Strip } from './strip.js';

/** One instance: what it knows, what it decides, and what can be done to it. */
export class Lane {
  #root;
  #strip;
  #acts = {};

  /**
   * @param {string} name
   * @param {(name: string, act: string, button: HTMLElement) => void} onPress
   */
  constructor(name, onPress) {
    this.name = name;
    const view = document.getElementById('lane-template').content.cloneNode(true);
    this.#root = view.firstElementChild;
    this.#root.id = `lane-${name}`;
    this.#root.setAttribute('aria-label', `Instance ${name}`);
    this.#part('name').textContent = name;
    this.#strip = new Strip(this.#root.querySelector('canvas'), name);
    for (const button of this.#root.querySelectorAll('[data-act]')) {
      button.addEventListener('click', () => {
        onPress(name, this.#acts[button.dataset.act], button);
      });
    }
  }

  get element() {
    return this.#root;
  }

  show(instance, history) {
    const { watched, maxStaleness } = history.last;
    const { state, knowledge, tally } = instance;
    const seen = watched?.on[this.name];
    Object.assign(this.#root.dataset, {
      state,
      cut: instance.isCut,
      last: answerOf(history.last, this.name) ?? '',
      late: seen?.acceptedLate ?? 0,
      bound: isBoundOver(history.last) ? 'over' : '',
    });
    this.#say('state', stateOf(instance));
    this.#say('pid', aboutOf(instance, history.last.hint));
    this.#say('verdict', verdictOf(history.last, this.name));
    this.#say('position', knowledge?.position ?? '–');
    this.#say('entries', knowledge?.entries ?? '–');
    this.#say('rate', history.rateOf(this.name).toFixed(0));
    this.#say('refused', tally.refused);
    this.#say('unknown', tally.unknown);
    this.#showLease(knowledge, maxStaleness, history.last.now);
    this.#showButtons(instance, watched);
  }

  draw(history) {
    this.#strip.draw(history);
  }

  #showLease(knowledge, maxStaleness, now) {
    const proofAt = knowledge?.proofAt ?? null;
    const left = proofAt === null ? 0 : Math.max(0, maxStaleness - (now - proofAt));
    this.#root.dataset.lapsed = left === 0;
    this.#part('bar').style.setProperty('--left', left / maxStaleness);
    const words = left === 0 ? 'lapsed: accepts nothing' : `may accept for ${seconds(left)}`;
    this.#say('lease', words);
  }

  #showButtons({ state, isCut }, watched) {
    const isIn = watched !== null && watched.loggedOutAt === null;
    const is = (...states) => states.includes(state);
    this.#button('session', isIn ? 'logout' : 'login', {
      login: 'Log in here',
      logout: 'Log out here',
      when: is('running'),
    });
    this.#button('pause', is('paused') ? 'resume' : 'pause', {
      pause: 'Pause',
      resume: 'Resume',
      when: is('running', 'paused'),
    });
    this.#button('kill', is('gone') ? 'start' : 'kill', {
      kill: 'kill -9',
      start: 'Start',
      when: true,
    });
    this.#button('cut', isCut ? 'mend' : 'cut', {
      cut: 'Cut database',
      mend: 'Reconnect',
      when: true,
    });
  }

  /** `aria-disabled`, not `disabled`: that would take the focus from the button that was just pressed. */
  #button(place, act, { when, ...words }) {
    const button = this.#root.querySelector(`[data-act="${place}"]`);
    this.#acts[place] = act;
    button.setAttribute('aria-disabled', String(!when));
    if (button.textContent === words[act]) return;
    button.textContent = words[act];
    button.setAttribute('aria-label', `${words[act]}: ${this.name}`);
  }

  #say(part, words) {
    const element = this.#part(part);
    const text = String(words);
    if (element.textContent !== text) element.textContent = text;
  }

  #part(name) {
    return this.#root.querySelector(`[data-${name}]`);
  }
}

/** Its process, and whether it receives push notifications, where there are any. */
function aboutOf({ pid, knowledge }, kind) {
  const hint = kind === 'none' ? undefined : knowledge?.hint;
  return [pid === null ? [] : `process ${pid}`, hint ?? []].flat().join(' · ');
}

/** Whether no instance may accept the watched token any more. */
function isBoundOver({ watched, maxStaleness, now }) {
  const end = watched?.loggedOutAt ?? null;
  return end !== null && now >= end + maxStaleness;
}

function seconds(milliseconds) {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}
