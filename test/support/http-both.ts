import { afterAll, beforeAll, expect } from '@jest/globals';
import { type HttpApp, type HttpAppSettings, startBothHttp } from './http-app.js';
import { alike, type HttpAnswer, type HttpClient } from './http-client.js';

/** What is done on each platform; the last answer counts. */
export type Steps = (to: HttpClient, app: HttpApp) => Promise<HttpAnswer>;

/** One application on both platforms, for the tests of a file. */
export interface BothPlatforms {
  readonly apps: readonly HttpApp[];
  /** Does the same on both, compares status, headers, cookies and body, and returns one answer. */
  readonly answer: (steps: Steps) => Promise<HttpAnswer>;
}

/** Starts both before the tests of a file, and stops them after. */
export function useBothPlatforms(settings: HttpAppSettings = {}): BothPlatforms {
  const apps: HttpApp[] = [];
  beforeAll(async () => {
    apps.push(...(await startBothHttp(settings)));
  });
  afterAll(async () => {
    await Promise.all(apps.map(({ close }) => close()));
  });
  return {
    apps,
    answer: async (steps) => {
      const answers: HttpAnswer[] = [];
      for (const app of apps) answers.push(alike(await steps(app.client, app)));
      const [express, fastify] = answers;
      expect(fastify).toEqual(express);
      if (express === undefined) throw new Error('Nothing was started.');
      return express;
    },
  };
}
