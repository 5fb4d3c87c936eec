import type { IncomingMessage, ServerResponse } from 'node:http';
import { AuthException } from 'nestjs-logout';

/** No request of this application needs more; a larger body is refused before it is parsed. */
export const BODY_LIMIT = 8_192;

const FORM = 'application/x-www-form-urlencoded';

/**
 * RFC 7009 and RFC 7662 send forms. No other route reads them: any page of any site can send a form, and
 * none can send JSON without being asked first.
 */
const TAKES_FORMS = /^\/auth\/(?:revoke|introspect)\/?(?:\?|$)/i;

/** The `next` of a middleware. */
export type Next = (error?: unknown) => void;

/**
 * The application's one body parser, as middleware, instead of the platform's own.
 *
 * The parsers of Express and Fastify differ in what they accept as JSON, and in their answer to what is
 * not JSON. An application that runs on one platform does not need this.
 */
export async function readBody(
  request: IncomingMessage & { body?: unknown },
  _response: ServerResponse,
  next: Next,
): Promise<void> {
  try {
    request.body = await read(request);
  } catch (error) {
    next(error instanceof AuthException ? error : unfinished(error));
    return;
  }
  // Otherwise Fastify would check the content type of a body that has been read already.
  if (request.body === undefined) delete request.headers['content-type'];
  next();
}

/** A client that disconnects in the middle of a body is not an error of ours. */
function unfinished(cause: unknown): AuthException {
  return new AuthException(400, 'invalid_request', 'The body did not arrive whole.', { cause });
}

/** The parsed JSON, or the form on routes of RFCs that ask for one; `undefined` for any other body. */
async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  // A body that is too large is read to its end too, and not kept: a client that is still sending does
  // not read the answer.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
  }
  if (size > BODY_LIMIT) {
    throw new AuthException(413, 'invalid_request', `The body is larger than ${BODY_LIMIT} bytes.`);
  }
  if (size === 0) return undefined;
  const kind = kindOf(request);
  const text = Buffer.concat(chunks).toString('utf8');
  if (kind === FORM && TAKES_FORMS.test(request.url ?? '')) return membersOf(text);
  if (kind !== 'application/json') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new AuthException(400, 'invalid_request', 'The body is not valid JSON.');
  }
}

function kindOf({ headers }: IncomingMessage): string | undefined {
  if (headers['content-encoding'] !== undefined) return undefined;
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
}

/** A field that occurs twice becomes a list, which no route accepts as a text (RFC 6749 3.1). */
function membersOf(form: string): Record<string, string | string[]> {
  const parameters = new URLSearchParams(form);
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const [first = '', ...others] = parameters.getAll(name);
      return [name, others.length === 0 ? first : [first, ...others]];
    }),
  );
}
