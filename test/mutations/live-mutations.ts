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
    'a lost history asks no open connection',
    TOKENS,
    'this.askFrom(1);\n        };',
    "if (kind !== 'history') this.askFrom(1);\n        };",
  ),
  one(
    'a token is not asked about after it was registered',
    TOKENS,
    'if (this.isDecidable(watch, own))\n            this.ask(watch);',
    'this.isDecidable(watch, own);',
  ),
  one(
    'an open connection is judged without the key of its token',
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
    'a watch that another judgement removed is visited',
    'live/watch-table',
    'if (item.row !== 0)',
    'if (true)',
    'unit/live/watch-table',
  ),
  one('a connection has no lease', TIMES, 'this.lapse();', ''),
  one(
    'all connections close in one moment when the lease lapses',
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
  one('a paused process closes before it has polled', TIMES, "this.recovery === 'none'", 'false'),
  one('what fires while observing is over was never asked', TIMES, 'this.watched.askAll();', ''),
  one(
    'a callback that throws stops the others',
    'live/watch',
    'this.logger.error(',
    'throw new Error(',
  ),
  {
    name: 'a released connection is told',
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
    'a stream that was left is watched until its token expires',
    STREAMS,
    'finalize(() => live.release())',
    '(same) => same',
    STREAM_TESTS,
  ),
  one(
    'an iterator waits for a value that never comes',
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
    'a renewed token may be of another account',
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
    'a socket that left is watched until its token expires',
    SOCKETS,
    'this.held.get(socket)?.live.release();',
    '',
    SOCKET_TESTS,
  ),
  one(
    'a socket that left during its handshake is watched',
    SOCKETS,
    '!isOpen(socket)',
    'false',
    SOCKET_TESTS,
  ),
  one('a socket does not close with its token', SOCKETS, 'onEnd });', '});', SOCKET_TESTS),
  one('only the first part of all connections is asked', TOKENS, 'if (next > 0)', 'if (false)'),
  one(
    'a token that expires while it is registered is watched for ever',
    TOKENS,
    'this.times.start();\n        if (this.isDecidable(watch, own))\n            this.ask(watch);',
    'if (this.isDecidable(watch, own))\n            this.ask(watch);\n        this.times.start();',
  ),
  one(
    'a token that has ended and not fired counts as good',
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
    'explain takes ids that are no texts',
    'cli/explain.command',
    '[sub, sid, jti].every(',
    '[].every(',
    'cluster/cli/explain',
  ),
  one('all connections are told in one turn', 'live/watch', 'if (left-- === 0)', 'if (false)'),
];
