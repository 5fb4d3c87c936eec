import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { fetchOnce } from '../../support/fetch-once.js';
import type { Instance } from '../../support/instance.js';
import { headersOf, inUrl } from './http-client.js';
import type { Handler } from './handlers.js';
import type { Answer, Client, Refusal } from './matrix.js';

interface GraphqlError {
  readonly extensions?: {
    readonly originalError?: { code?: unknown; reason?: unknown; statusCode?: unknown };
  };
}

function refusalOf({ extensions = {} }: GraphqlError): Refusal {
  const { originalError = {} } = extensions;
  const { stacktrace: _, ...raw } = extensions as Record<string, unknown>;
  return {
    code: originalError.code,
    reason: originalError.reason,
    status: originalError.statusCode,
    raw,
  };
}

/** Asks by POST, half of the handlers in mutations; the second token is in the URL. */
export async function graphqlClient(instance: Instance): Promise<Client> {
  const url = await instance.app.getUrl();
  return {
    async ask(handler, sent) {
      const answer = await fetchOnce(`${url}/graphql${inUrl(sent)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headersOf(sent) },
        body: JSON.stringify({ query: `${operationOf(handler)} { ${handler} }` }),
      });
      const { data, errors } = (await answer.json()) as {
        data?: Record<string, string> | null;
        errors?: GraphqlError[];
      };
      if (answer.status !== 200) throw new Error(`GraphQL answered ${answer.status}.`);
      const [error] = errors ?? [];
      return error === undefined
        ? { who: data?.[handler] ?? 'no data' }
        : { refusal: refusalOf(error) };
    },
  };
}

function operationOf(handler: Handler): 'query' | 'mutation' {
  return ['guarded', 'optional', 'twice'].includes(handler) ? 'mutation' : 'query';
}

/** A connection for each question; the token is in `connectionParams`, the second one as `token`. */
export async function graphqlWsClient(instance: Instance): Promise<Client> {
  const url = `${(await instance.app.getUrl()).replace('http', 'ws')}/graphql`;
  return {
    async ask(handler, { authorization, second: token }) {
      const client = createClient({
        url,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
        connectionParams: { authorization, token },
      });
      try {
        return await new Promise<Answer>((resolve, reject) => {
          client.subscribe<Record<string, string>>(
            { query: `subscription { ${handler} }` },
            {
              next: ({ data, errors = [] }) =>
                resolve(
                  errors[0] === undefined
                    ? { who: data?.[handler] ?? 'no data' }
                    : { refusal: refusalOf(errors[0]) },
                ),
              error: (errors) =>
                Array.isArray(errors) ? resolve({ refusal: refusalOf(errors[0]) }) : reject(errors),
              complete: () => reject(new Error('It ended without an answer.')),
            },
          );
        });
      } finally {
        await client.dispose();
      }
    },
  };
}
