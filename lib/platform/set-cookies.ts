/** The part of an answer that Express and Fastify have in common. */
export interface CookieResponse {
  getHeader(name: string): unknown;
  removeHeader(name: string): unknown;
  header(name: string, value: string | string[]): unknown;
}

/**
 * Puts `Set-Cookie` lines into an answer, in the place of earlier ones for the same names: a browser
 * that is told twice does what the last line says, and not every proxy keeps their order.
 */
export function setCookies(response: CookieResponse, lines: readonly string[]): void {
  const names = new Set(lines.map(nameOf));
  const others = linesOf(response.getHeader('set-cookie')).filter(
    (line) => !names.has(nameOf(line)),
  );
  // Fastify adds to what is there, Express replaces it: so nothing is there.
  response.removeHeader('set-cookie');
  response.header('Set-Cookie', [...others, ...lines]);
}

function linesOf(header: unknown): string[] {
  if (header === undefined || header === null) return [];
  return Array.isArray(header) ? header.map(String) : [String(header)];
}

function nameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf('='))).trim();
}
