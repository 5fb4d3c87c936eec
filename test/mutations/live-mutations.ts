import type { Mutation } from './mutation.js';

const TOKENS = 'live/live-tokens.service';
const TIMES = 'live/live-times';
const STREAMS = 'live/until-revoked';
const STREAM_TESTS = 'unit/live/until-revoked';
const SOCKETS = 'live/live-sockets.service';
const SOCKET_TESTS = 'cluster/live/endings';
const REGISTRY = 'unit/live/live-tokens';

function one(
  name: string,
  file: string,
  find: string,
  replace: string,
  tests = REGISTRY,
): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What live connections rest on (rules L1 to L4). */
export const LIVE_MUTATIONS: readonly Mutation[] = [
  one(
    'the index reports no event to open connections',
    'revocation/index/revocation-index',
    'if (this.additions.observed)',
    'if (false)',
  ),
  one(
    'an event ends all connections of its account without a decision',
    TOKENS,
    'this.decider.ending(identity, group.kid)',
    "this.decider.ending(identity, group.kid) ?? { kind: 'subject', reason: 'logout' }",
  ),
  one(
    'a lost history rechecks no open connection',
    TOKENS,
    'this.askFrom(1);\n        };',
    "if (kind !== 'history') this.askFrom(1);\n        };",
  ),
  one(
    'a token is not checked again after it was registered',
    TOKENS,
    'if (this.isDecidable(watch, own))\n            this.ask(watch);',
    'this.isDecidable(watch, own);',
  ),
  one(
    'an open connection is checked without the key of its token',
    TOKENS,
    'this.decider.ending(identity, group.kid)',
    'this.decider.ending(identity, undefined)',
  ),
  one('a connection outlives its token', TIMES, 'this.expire();', ''),
  one(
    'a connection waits for a poll past its lease',
    TIMES,
    'left > 0 ? Math.min(staleWait, left / 2) : staleWait',
    'staleWait',
  ),
  one(
    'a watch that another check removed is visited',
    'live/watch-table',
    'if (item.row !== 0)',
    'if (true)',
    'unit/live/watch-table',
  ),
  one('a connection has no lease', TIMES, 'this.lapse();', ''),
  one(
    'all connections close at the same moment when the lease lapses',
    TIMES,
    'limit - share * spreadOf(limit)',
    'limit',
  ),
  one(
    'a contradiction closes every connection at once',
    'revocation/staleness/proof-clock',
    'return this.since(this.last);',
    'return this.since(this.proof);',
  ),
  one(
    'a policy keeps connections open after a contradiction',
    'revocation/revocation-decider.service',
    'if (upTo === NEVER || this.proofs.isContradicted)',
    'if (upTo === NEVER)',
  ),
  one(
    'a paused process closes connections before it has polled',
    TIMES,
    "this.recovery === 'none'",
    'false',
  ),
  one(
    'a callback that runs after observe mode was not checked again',
    TIMES,
    'this.watched.askAll();',
    '',
  ),
  one(
    'a callback that throws stops the others',
    'live/watch',
    'this.logger.error(',
    'throw new Error(',
  ),
  {
    name: 'a released connection is notified',
    edits: [
      {
        file: 'live/watch',
        find: 'forget(watch) {\n        this.waiting.delete(watch);',
        replace: 'forget(watch) {',
      },
      {
        file: 'live/watch',
        find: 'this.group.release(this);\n        this.onEnd = undefined;',
        replace: 'this.group.release(this);',
      },
    ],
    tests: REGISTRY,
  },
  one(
    'a stream does not end with its token',
    STREAMS,
    'takeUntil(ended)',
    '(same) => same',
    STREAM_TESTS,
  ),
  one(
    'a stream that was closed is watched until its token expires',
    STREAMS,
    'finalize(() => live.release())',
    '(same) => same',
    STREAM_TESTS,
  ),
  one(
    'an iterator waits for a value that never arrives',
    STREAMS,
    'resolve(over);\n        }',
    ';\n        }',
    STREAM_TESTS,
  ),
  one(
    'an iterator that has thrown is watched until its token expires',
    STREAMS,
    'isOver = true;\n            live.release();\n            throw error;',
    'throw error;',
    STREAM_TESTS,
  ),
  one(
    'a signal is not released with its answer',
    'live/revocation-signal.decorator',
    "response?.once('close', () => live.release());",
    '{ }',
    'cluster/live/streams',
  ),
  one(
    'a renewed token may belong to another account',
    SOCKETS,
    'claims.sub !== known.sub',
    'false',
    SOCKET_TESTS,
  ),
  one(
    'the old token of a socket is watched after its renewal',
    SOCKETS,
    'former?.live.release();',
    '',
    SOCKET_TESTS,
  ),
  one(
    'a closed socket is watched until its token expires',
    SOCKETS,
    'this.held.get(socket)?.live.release();',
    '',
    SOCKET_TESTS,
  ),
  one(
    'a socket that was closed during its handshake is watched',
    SOCKETS,
    '!isOpen(socket)',
    'false',
    SOCKET_TESTS,
  ),
  one('a socket does not close with its token', SOCKETS, 'onEnd });', '});', SOCKET_TESTS),
  one('only the first batch of connections is checked', TOKENS, 'if (next > 0)', 'if (false)'),
  one(
    'a token that expires while it is registered is watched for ever',
    TOKENS,
    'this.times.start();\n        if (this.isDecidable(watch, own))\n            this.ask(watch);',
    'if (this.isDecidable(watch, own))\n            this.ask(watch);\n        this.times.start();',
  ),
  one(
    'an ended token whose callback has not run counts as valid',
    'live/watch',
    'this.group.endingOf(this)',
    'undefined',
  ),
  one(
    'socket.io gets another body from LiveSockets than from a guard',
    SOCKETS,
    'socketBody(end)',
    'end.getResponse()',
    SOCKET_TESTS,
  ),
  one(
    'explain accepts ids that are not strings',
    'cli/explain.command',
    '[sub, sid, jti].every(',
    '[].every(',
    'cluster/cli/explain',
  ),
  one(
    'all connections are notified in one turn of the event loop',
    'live/watch',
    'if (left-- === 0)',
    'if (false)',
  ),
];
