import { badRequest, type HttpRequest } from './request-body.js';

const DEFAULT_LIMIT = 50;
const LARGEST_LIMIT = 100;

/**
 * What a request for a page of sessions asks for. Read from the address itself, so that a query parser
 * of the application changes nothing.
 *
 * @throws AuthException 400 `invalid_request` for a limit that is none, and for a parameter that stands
 * there twice.
 */
export function pageOf({ url }: HttpRequest): {
  readonly limit: number;
  readonly after: string | undefined;
} {
  const parameters = new URLSearchParams(url?.split('?').slice(1).join('?'));
  const limit = single(parameters, 'limit') ?? String(DEFAULT_LIMIT);
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > LARGEST_LIMIT) {
    throw badRequest(`limit is not a whole number from 1 to ${LARGEST_LIMIT}.`);
  }
  return { limit: Number(limit), after: single(parameters, 'after') };
}

function single(parameters: URLSearchParams, name: string): string | undefined {
  const [value, second] = parameters.getAll(name);
  if (second !== undefined) throw badRequest(`${name} stands in the address twice.`);
  return value;
}
