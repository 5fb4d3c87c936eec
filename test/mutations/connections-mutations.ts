import type { Mutation } from './mutation.js';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What the log's connections, their recovery and their names rest on (issue 9). */
export const CONNECTIONS_MUTATIONS: readonly Mutation[] = [
  one(
    'a poll sorts pending events by their texts',
    'revocation/store/log.statements',
    'ORDER BY p.event_id LIMIT',
    'ORDER BY event_id LIMIT',
    'cluster/storage/query-plans',
  ),
];
