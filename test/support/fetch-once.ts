/**
 * `fetch` on its own connection. The server may close a kept one at the very moment at which the
 * next request is sent, on a busy machine at any time, and the request fails for no reason that a
 * test is about.
 */
export function fetchOnce(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('connection', 'close');
  return fetch(url, { ...init, headers });
}
