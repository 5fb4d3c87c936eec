/**
 * `fetch` on a connection of its own. One that is kept may be ended by the server at the very moment
 * in which the next request is sent, on a busy machine at any, and the request fails for no reason
 * that a test is about.
 */
export function fetchOnce(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('connection', 'close');
  return fetch(url, { ...init, headers });
}
