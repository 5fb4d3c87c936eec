import { randomBytes, randomUUID } from 'node:crypto';
import { AuthMeter } from '../../lib/events/auth-meter.service.js';
import type {
  LogEvent,
  RevocationKind,
} from '../../lib/database/entities/revocation-event.entity.js';
import { LiveTokens } from '../../lib/live/live-tokens.service.js';
import { resolveAuthOptions } from '../../lib/options/resolved-auth-options.js';
import type { TokenClaims } from '../../lib/options/token-claims.js';
import type { RevocationFeed } from '../../lib/revocation/feed/revocation-feed.service.js';
import { EventKeys } from '../../lib/revocation/index/event-key.js';
import { RevocationIndex } from '../../lib/revocation/index/revocation-index.js';
import type { PendingAt } from '../../lib/revocation/index/waiting-events.js';
import type { LogCursor } from '../../lib/revocation/feed/log-cursor.js';
import type { LogPositions } from '../../lib/revocation/log/log-positions.service.js';
import type { RevocationLog } from '../../lib/revocation/log/revocation-log.service.js';
import { RevocationDecider } from '../../lib/revocation/revocation-decider.service.js';
import { ProofClock } from '../../lib/revocation/staleness/proof-clock.js';
import type { StalePolicies } from '../../lib/revocation/staleness/stale-policies.service.js';
import type { StalenessOverrides } from '../../lib/revocation/staleness/staleness-override.service.js';
import type { VerdictReporter } from '../../lib/revocation/verdict-reporter.service.js';
import { UNBOUNDED } from '../../lib/options/operation-settings.js';
import { TestClock } from '../../lib/testing/test-clock.js';

export const OWN = 'https://own.example';
export const FOREIGN = 'https://foreign.example';

/** The registry with a real index, decider and clock, and with a feed that only the test moves. */
export class LiveParts {
  readonly clock = new TestClock(1_800_000_000_000);
  readonly options = resolveAuthOptions({
    secret: 'a secret of the tests: 32 bytes or more',
    issuer: OWN,
    audience: OWN,
    clockTolerance: 0,
    foreign: [{ issuer: FOREIGN, maxTokenLife: '1h', maxSessionLife: '1d' }],
  });
  readonly keys = new EventKeys(OWN);
  readonly index = new RevocationIndex(this.keys);
  readonly proofs = new ProofClock(this.clock, this.options);
  readonly meter = new AuthMeter();
  readonly overrides = { upTo: 0 };
  readonly reporter = {
    observingUntil: undefined as number | undefined,
    pronounce: <T>(verdict: T): T | { state: 'active' } =>
      this.reporter.observingUntil === undefined ? verdict : { state: 'active' },
  };
  readonly feed = {
    failing: false,
    proofWithin: (_staleness: number, _timeout: number): Promise<boolean> => Promise.resolve(false),
  };
  readonly decider = new RevocationDecider(
    this.index,
    { position: 0 } as LogCursor,
    this.feed as unknown as RevocationFeed,
    { inDoubt: { size: 0 }, callers: { size: 0 } } as RevocationLog,
    {} as LogPositions,
    this.proofs,
    { upTo: (policy: unknown) => (policy === 'open' ? UNBOUNDED : 600_000) } as StalePolicies,
    this.overrides as StalenessOverrides,
    this.reporter as unknown as VerdictReporter,
    this.options,
  );
  readonly live = new LiveTokens(
    this.index,
    this.keys,
    this.decider,
    this.proofs,
    this.meter,
    this.options,
    this.clock,
    this.feed as unknown as RevocationFeed,
  );
  private position = 1_000;

  constructor() {
    this.prove();
  }

  /** A poll that was sent now shows nothing new. */
  prove(): void {
    this.proofs.prove(this.proofs.moment(), this.clock.database());
  }

  claims(more: Partial<TokenClaims> = {}): TokenClaims {
    const now = Math.floor(this.clock.wall() / 1000);
    const ids = { sub: 'alice', sid: randomUUID(), jti: randomUUID() };
    return { iss: OWN, ...ids, gen: 500, iat: now, exp: now + 900, ...more };
  }

  /** Adds an event to the index, as the feed or a write of this instance does. */
  event(kind: RevocationKind, id: string, more: Partial<LogEvent> = {}, issuer = OWN): void {
    const position = ++this.position;
    const isMark = kind === 'subject' || kind === 'issuer';
    this.index.add({
      position,
      id: randomBytes(16).toString('hex'),
      kind,
      key: this.keys.hex(kind, issuer, id),
      killsBelow: isMark ? position : null,
      except: null,
      accessOnly: false,
      issuedBefore: isMark ? this.clock.wall() : null,
      until: this.clock.wall() + 3_600_000,
      reason: 'logout',
      ...more,
    });
  }

  /** A jump: whatever has a `gen` from there on is of a lost history. */
  jump(after: number, position = ++this.position): void {
    const id = randomBytes(16).toString('hex');
    const key = '0'.repeat(32);
    const rest = {
      except: null,
      accessOnly: false,
      issuedBefore: null,
      reason: 'unspecified',
    } as const;
    const until = this.clock.wall() + 3_600_000;
    this.index.add({ ...rest, position, id, kind: 'history', key, killsBelow: after, until });
  }

  /** A pending event, as a poll shows it. */
  pending(kind: 'session' | 'subject', id: string): void {
    const event = {
      position: null,
      id: randomBytes(16).toString('hex'),
      kind,
      key: this.keys.hex(kind, OWN, id),
      killsBelow: null,
      except: null,
      accessOnly: false,
      issuedBefore: null,
      until: null,
      reason: 'logout' as const,
    };
    const at: PendingAt = { killsBelow: this.position + 1, until: this.clock.wall() + 3_600_000 };
    this.index.add(event, at);
  }
}

/** Runs the callbacks of what has ended. */
export function fired(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
