import { events, socket, subscription } from './connections.js';

const form = byId('login');
/** In memory only: a reload asks for the password again. */
let token;
/** When the button was pressed. */
let pressed;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(async () => {
    const { username, password } = Object.fromEntries(new FormData(form));
    ({ access_token: token } = await post('/auth/login', { username, password }));
    pressed = undefined;
    show(username);
    open();
  });
});
onClick('logout', '/auth/logout');
onClick('logout-all', '/auth/logout-all');

/** All of them with one token; nothing on this page closes them. */
function open() {
  events('/orders/events', token, showIn('events'));
  events('/orders/messages', token, showIn('messages'));
  socket(globalThis.io, token, showIn('socket'));
  subscription(globalThis.graphqlWs.createClient, token, showIn('subscription'));
}

/** Shows a connection in its card, and returns its callbacks. */
function showIn(id) {
  const card = byId(id);
  card.querySelector('.state')?.remove();
  card.append(byId('state').content.cloneNode(true));
  card.dataset.state = 'open';
  const orders = card.querySelector('[data-orders]');
  const said = card.querySelector('[data-said]');
  said.textContent = 'open';
  return {
    order: () => (orders.textContent = Number(orders.textContent) + 1),
    ended: ({ code, reason }) => {
      Object.assign(card.dataset, { state: 'ended', code, reason: reason ?? '' });
      const after =
        pressed === undefined ? '' : ` after ${Math.round(performance.now() - pressed)} ms`;
      said.textContent = `ended${after}: ${code}${reason === undefined ? '' : ` (${reason})`}`;
    },
  };
}

function onClick(id, path) {
  byId(id).addEventListener('click', () => {
    void attempt(async () => {
      pressed = performance.now();
      await post(path);
      show();
    });
  });
}

/** Who is logged in; without a login: the form. */
function show(name) {
  byId('name').textContent = name ?? '';
  byId('account').hidden = name === undefined;
  form.hidden = name !== undefined;
}

async function attempt(act) {
  const problem = byId('problem');
  problem.textContent = '';
  try {
    await act();
  } catch (error) {
    problem.textContent = error.message;
  }
}

/** @throws Error with the sentence of the refusal. */
async function post(path, body = {}) {
  const response = await fetch(path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  const answer = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

function byId(id) {
  return document.getElementById(id);
}
