import type { Mutation } from './mutation.js';
import { BINDING_MUTATIONS } from './binding-mutations.js';
import { BOOT_MUTATIONS } from './boot-mutations.js';
import { CLUSTER_MUTATIONS } from './cluster-mutations.js';
import { COMPARISON_MUTATIONS } from './comparison-mutations.js';
import { CONNECTIONS_MUTATIONS } from './connections-mutations.js';
import { KEYS_MUTATIONS } from './keys-mutations.js';
import { API_TOKEN_MUTATIONS } from './api-token-mutations.js';
import { LIVE_MUTATIONS } from './live-mutations.js';
import { LOG_MUTATIONS } from './log-mutations.js';
import { POLICY_MUTATIONS } from './policy-mutations.js';
import { REFRESH_MUTATIONS } from './refresh-mutations.js';
import { REMEMBERED_MUTATIONS } from './remembered-mutations.js';
import { SCOPE_MUTATIONS } from './scope-mutations.js';
import { SESSION_MUTATIONS } from './session-mutations.js';
import { SESSION_LIST_MUTATIONS } from './sessions-mutations.js';
import { STEP_UP_MUTATIONS } from './step-up-mutations.js';
import { TRANSPORT_MUTATIONS } from './transport-mutations.js';
import { WRITER_MUTATIONS } from './writer-mutations.js';

/** The list of issue 2, "Shown by" 7. */
const CORE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the index is skipped',
    edits: [
      {
        file: 'revocation/revocation-decider.service',
        find: 'const hit = this.index.find(claims, kid, isApiToken(claims, kid), kept);',
        replace: 'const hit = undefined;',
      },
    ],
    tests: 'test/e2e/logout.spec',
  },
  {
    name: 'the feed is stopped after the first load',
    edits: [
      {
        file: 'revocation/feed/revocation-feed.service',
        find: 'this.cancelNext = this.clock.schedule(pause, () => this.run());',
        replace: '',
      },
      {
        file: 'revocation/staleness/proof-clock',
        find: 'return wall > monotonic ? wall : monotonic;',
        replace: 'return 0;',
      },
    ],
    tests: 'test/cluster/promises/p1-p2',
  },
  {
    name: 'a proof is dated at its receipt instead of its sending',
    edits: [
      {
        file: 'revocation/feed/log-follower',
        find: 'const answer = answerOf(',
        replace: 'sent = this.proofs.moment(); const answer = answerOf(',
      },
    ],
    tests: 'test/cluster/feed/f4',
  },
  {
    name: 'a fork goes unnoticed',
    edits: [
      {
        file: 'revocation/feed/log-cursor',
        find: "return { kind: 'fork', why };",
        replace: "return { kind: 'current' };",
      },
    ],
    tests: 'test/cluster/feed/(f3|h1)',
  },
  {
    name: 'a reload replaces what is known instead of merging',
    edits: [
      {
        file: 'revocation/feed/log-follower',
        find: 'this.index.beginReload();',
        replace: 'Object.assign(this.index, new this.index.constructor(this.index.keys));',
      },
    ],
    tests: 'test/cluster/feed/h1',
  },
  {
    name: 'a storage error is swallowed',
    edits: [
      {
        file: 'revocation/log/revocation-log.service',
        find: 'throw storageUnavailable((error instanceof StorageFailure',
        replace:
          'return { head: { maxStaleness: 0 }, events: [] }; throw storageUnavailable((error instanceof StorageFailure',
      },
    ],
    tests: 'test/cluster/promises/p10',
  },
  {
    name: 'retention is one second short',
    edits: [
      {
        file: 'revocation/log/retention',
        find: 'export const RETENTION_MARGIN = 2 * LARGEST_TOLERANCE;',
        replace: 'export const RETENTION_MARGIN = 2 * LARGEST_TOLERANCE - 1_000;',
      },
    ],
    tests: 'test/cluster/protocol/w3',
  },
  {
    name: 'the position is read after the password check',
    edits: [
      {
        file: 'sessions/login.service',
        find: 'const since = await this.positions.read();\n            const subject = await who();',
        replace:
          'const subject = await who();\n            const since = await this.positions.read();',
      },
    ],
    tests: 'test/cluster/protocol/g1',
  },
  {
    name: 'the latest exception wins',
    edits: [
      {
        file: 'revocation/index/mark',
        find: 'setLimit(words, at + SECOND, top);',
        replace: 'setLimit(words, at + SECOND, 0);',
      },
    ],
    tests: 'test/cluster/protocol/g4|test/unit/revocation/index/mark',
  },
  {
    name: 'the purge goes by the host’s clock',
    edits: [
      {
        file: 'revocation/log/revocation-purge.service',
        find: 'return headOf(rows[0], clock).now;',
        replace: 'return clock.wall();',
      },
    ],
    tests: 'test/cluster/feed/t2',
  },
  {
    name: 'known ids are not checked in an answer',
    edits: [
      {
        file: 'revocation/feed/log-cursor',
        find: 'const missing = this.missing(answer, sent, complete);',
        replace: 'const missing = undefined;',
      },
    ],
    tests: 'test/cluster/feed/f3',
  },
  {
    name: 'a strategy blocks itself if Nest starts it twice',
    edits: [
      {
        file: 'authentication/jwt.strategy',
        find: 'holder !== this && ',
        replace: '',
      },
    ],
    tests: 'test/security/entry-points',
  },
  {
    name: 'the digest is taken over the token’s text',
    edits: [
      {
        file: 'authentication/token.service',
        find: 'await this.verifier.decide(token, demand);',
        replace:
          'token.claims.sid = text; token.claims.jti = text; await this.verifier.decide(token, demand);',
      },
      {
        file: 'platform/identifier',
        find: 'const LONGEST = 255;',
        replace: 'const LONGEST = 8192;',
      },
    ],
    tests: 'test/security/altered-spellings',
  },
  {
    name: 'the decision is moved to handleRequest',
    edits: [
      {
        file: 'authentication/jwt.strategy',
        find: 'const pending = this.verifier.decide(token, demand);',
        replace:
          'request.decideLater = () => this.verifier.decide(token, demand); const pending = undefined;',
      },
      {
        file: 'authentication/jwt-auth.guard',
        find: 'canActivate(context) {',
        replace:
          'handleRequest(error, user, info, context) { const found = super.handleRequest(error, user, info, context); requestOf(context).decideLater?.(); return found; }\n    canActivate(context) {',
      },
    ],
    tests: 'test/security/jwt-wiring',
  },
  {
    name: 'the own DataSource is replaced by the application’s',
    edits: [
      {
        file: 'database/open-log-database',
        find: 'const dataSource = await connect(application, options);',
        replace: 'const dataSource = application ?? (await connect(application, options));',
      },
    ],
    tests: 'test/cluster/storage',
  },
];

/** Every mechanism that a promise rests on. */
export const MUTATIONS: readonly Mutation[] = [
  ...CORE_MUTATIONS,
  ...SESSION_MUTATIONS,
  ...SESSION_LIST_MUTATIONS,
  ...SCOPE_MUTATIONS,
  ...POLICY_MUTATIONS,
  ...BOOT_MUTATIONS,
  ...CLUSTER_MUTATIONS,
  ...CONNECTIONS_MUTATIONS,
  ...WRITER_MUTATIONS,
  ...KEYS_MUTATIONS,
  ...REFRESH_MUTATIONS,
  ...REMEMBERED_MUTATIONS,
  ...LOG_MUTATIONS,
  ...LIVE_MUTATIONS,
  ...API_TOKEN_MUTATIONS,
  ...STEP_UP_MUTATIONS,
  ...TRANSPORT_MUTATIONS,
  ...BINDING_MUTATIONS,
  ...COMPARISON_MUTATIONS,
];
