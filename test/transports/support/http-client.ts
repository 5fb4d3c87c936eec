import { fetchOnce } from '../../support/fetch-once.js';
import type { Instance } from '../../support/instance.js';
import type { Client, Sent } from './matrix.js';

/** Asks routes; the second token is in the URL. */
export async function httpClient(instance: Instance): Promise<Client> {
  const url = await instance.app.getUrl();
  return {
    async ask(handler, sent) {
      const answer = await fetchOnce(`${url}/${handler}${inUrl(sent)}`, {
        headers: headersOf(sent),
      });
      const text = await answer.text();
      if (answer.status === 200) return { who: text };
      const raw = JSON.parse(text);
      return { refusal: { code: raw.code, reason: raw.reason, status: answer.status, raw } };
    },
  };
}

export function headersOf({ authorization }: Sent): Record<string, string> {
  return typeof authorization === 'string' ? { authorization } : {};
}

export function inUrl({ second }: Sent): string {
  return second === undefined ? '' : `?access_token=${second}`;
}
