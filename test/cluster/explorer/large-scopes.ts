import { type Scope, scopeOf } from './scope.js';

/** Larger scopes, for `npm run test:explorer`: minutes, not seconds. */
export const LARGE_SCOPES = {
  'a login, a subject event, a lost COMMIT, two ticks': scopeOf({
    sessions: ['out'],
    events: [{ kind: 'subject' }],
    commitsLost: 1,
    ticks: 2,
    lives: [1, 1],
  }),
  'a pending event and one that is not, with time': scopeOf({
    events: [
      { kind: 'session', manager: true },
      { kind: 'subject', writers: [0, 1] },
    ],
    answersLate: false,
    ticks: 1,
  }),
  'a login, an event pending, a fail-over that loses commits': scopeOf({
    sessions: ['out'],
    events: [{ kind: 'subject', manager: true }],
    failovers: 1,
    jumps: 1,
    lossy: true,
    ticks: 1,
  }),
  'lost commits, late answers, a login, a new event': scopeOf({
    sessions: ['out'],
    events: [{ kind: 'other' }, { kind: 'subject', writers: [0, 1] }],
    failovers: 1,
    jumps: 1,
    lossy: true,
    ticks: 1,
  }),
  'a backup put back with two instances stopped': scopeOf({
    sessions: ['out'],
    events: [{ kind: 'other' }, { kind: 'subject' }],
    failovers: 1,
    jumps: 1,
    lossy: true,
    backup: 'stopped',
    restarts: 2,
    answersLate: false,
    ticks: 0,
  }),
  'a purge and a settlement after it': scopeOf({
    sessions: ['out'],
    events: [{ kind: 'subject' }, { kind: 'other' }],
    lives: [1, 1],
    commitsLost: 1,
    purge: true,
    ticks: 3,
  }),
  'commits lost twice': scopeOf({
    sessions: ['out'],
    events: [{ kind: 'other' }, { kind: 'subject' }],
    failovers: 2,
    jumps: 2,
    lossy: true,
    answersLate: false,
    ticks: 1,
  }),
  'two refreshes and a subject event, with time': scopeOf({
    events: [{ kind: 'subject', writers: [0, 1] }],
    refreshes: 2,
    answersLate: false,
    ticks: 1,
  }),
  'two strict instances': scopeOf({
    events: [{ kind: 'session', manager: true }],
    polls: 2,
    ticks: 1,
  }),
} satisfies Record<string, Scope>;
