import { DpopKey, type ProofChange } from './dpop-key.js';
import type { HttpApp } from './http-app.js';
import { type HttpAnswer, type HttpClient, PASSWORD, type Pair } from './http-client.js';

export const LOGIN = { username: 'alice', password: PASSWORD };

/** A client that has a key, and proves it to one application. */
export class DpopClient {
  constructor(
    private readonly to: HttpClient,
    private readonly app: HttpApp,
    readonly key = new DpopKey(),
  ) {}

  now(): number {
    return this.app.clock.wall();
  }

  url(path: string): string {
    return this.to.url + path;
  }

  proof(call: string, change: ProofChange = {}): string {
    const [method = '', path = ''] = call.split(' ');
    return this.key.proof(method, this.to.url + path, { now: this.app.clock.wall(), ...change });
  }

  post(path: string, json: object, change?: ProofChange, more: object = {}): Promise<HttpAnswer> {
    const call = `POST ${path}`;
    return this.to.send(call, { json, headers: { dpop: this.proof(call, change), ...more } });
  }

  async login(more: object = {}): Promise<Pair> {
    const answer = await this.post('/auth/login', { ...LOGIN, ...more });
    if (answer.status === 200) return answer.body as Pair;
    throw new Error(`login answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  refresh({ refresh_token }: Pair, change?: ProofChange): Promise<HttpAnswer> {
    return this.post('/auth/refresh', { refresh_token }, change);
  }

  get(path: string, token: string): Promise<HttpAnswer> {
    const dpop = this.proof(`GET ${path}`, { token });
    return this.to.send(`GET ${path}`, { headers: { authorization: `DPoP ${token}`, dpop } });
  }

  me(
    token: string,
    proof = this.proof('GET /me', { token }),
    scheme = 'DPoP',
  ): Promise<HttpAnswer> {
    return this.to.send('GET /me', {
      headers: { authorization: `${scheme} ${token}`, dpop: proof },
    });
  }
}

/** The status and the code, for one short comparison. */
export const codeOf = ({ status, body }: HttpAnswer): string =>
  `${status} ${(body as { code?: string }).code ?? 'ok'}`;
