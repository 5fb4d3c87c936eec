/*
 * The four connections. Each calls `order` with what arrives, and `ended` once, with the code and, where
 * the transport has room for it, the reason of the refusal.
 */

/** Server-sent events, read by fetch: an EventSource cannot send the header `Authorization`. */
export async function events(path, token, { order, ended }) {
  try {
    for (;;) {
      const response = await fetch(path, { headers: { authorization: `Bearer ${token}` } });
      if (!response.ok) return ended(await response.json());
      for await (const { type, data } of eventsIn(response.body)) {
        if (type === 'refused') return ended(data);
        order();
      }
      // It is complete. The next request says why, as the reconnect of an EventSource does.
    }
  } catch {
    ended({ code: 'unreachable' });
  }
}

/** @param io - The client of socket.io. */
export function socket(io, token, { order, ended }) {
  const socket = io({
    auth: { token },
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  let why = { code: 'disconnected' };
  socket.on('connect', () => socket.emit('orders'));
  socket.on('order', order);
  socket.on('exception', (body) => (why = body));
  socket.on('disconnect', () => ended(why));
  socket.on('connect_error', () => ended({ code: 'unreachable' }));
}

/** @param createClient - Of graphql-ws. */
export function subscription(createClient, token, { order, ended }) {
  const url = `${location.origin.replace('http', 'ws')}/graphql`;
  const client = createClient({ url, connectionParams: { token }, retryAttempts: 0 });
  client.subscribe(
    { query: 'subscription { orders { number } }' },
    {
      next: order,
      // A close event: its code is 4401 and its reason is our code.
      error: ({ reason }) => ended({ code: reason || 'unreachable' }),
      complete: () => ended({ code: 'complete' }),
    },
  );
}

/** The events of a body: `event:` is the type, `data:` is JSON. */
async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const all = (text + value).split('\n\n');
    text = all.pop();
    for (const event of all) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) {
        yield { type: /^event: (.*)$/m.exec(event)?.[1], data: JSON.parse(data) };
      }
    }
  }
}
