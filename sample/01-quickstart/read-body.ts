import type { IncomingMessage, ServerResponse } from 'node:http';
import { AuthException } from 'nestjs-logout';

/** No request of this application needs more; a larger body is refused before it is parsed. */
export const BODY_LIMIT = 8_192;

const FORM = 'application/x-www-form-urlencoded';

/**
 * RFC 7009 and RFC 7662 send forms. Nobody else's are read: any page of any site can send a form, and
 * none can send JSON without being asked first.
 */
const TAKES_FORMS = /^\/auth\/(?:revoke|introspect)\/?(?:\?|$)/i;

/** Middleware's way on. */
export type Next = (error?: unknown) => void;

/**
 * The application's one body parser, as middleware, in the place of the platform's own.
 *
 * Those of Express and Fastify differ in what they take for JSON and in what they answer when it is
 * not. An application that runs on one platform needs nothing of this.
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
  // Fastify would judge the kind of what has been read and judged already.
  if (request.body === undefined) delete request.headers['content-type'];
  next();
}

/** Whoever hangs up in the middle of a body has made no error of ours. */
function unfinished(cause: unknown): AuthException {
  return new AuthException(400, 'invalid_request', 'The body did not arrive whole.', { cause });
}

/** JSON, and where RFCs ask for it a form; `undefined` for nothing, and for every other kind. */
async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Also what is too large is read to its end, without being kept: who is still sending does not
  // listen for the answer.
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

/** A member that stands there twice becomes a list, which no route takes for a text (RFC 6749 3.1). */
function membersOf(form: string): Record<string, string | string[]> {
  const parameters = new URLSearchParams(form);
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const [first = '', ...others] = parameters.getAll(name);
      return [name, others.length === 0 ? first : [first, ...others]];
    }),
  );
}
