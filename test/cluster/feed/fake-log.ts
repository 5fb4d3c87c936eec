import { randomUUID } from 'node:crypto';
import type { AuthClock } from 'nestjs-logout';
import {
  EventKeys,
  type Head,
  type LogDatabase,
  type LogEvent,
  LogHistory,
  type OpenLog,
  type Row,
  type Statement,
  type StatementResult,
} from '../../support/internals.js';
import { eventAt, headAt, idAt, ISSUER } from '../../support/controlled-instance.js';

/** A poll that one instance has sent; the test says when it is answered, and when the answer arrives. */
interface Flight {
  readonly cursor: number;
  answer: StatementResult | undefined;
  readonly arrive: (answer: StatementResult) => void;
  readonly fail: (error: Error) => void;
}

/**
 * The log of several instances without a database: what it holds is right, and a test decides in which
 * order polls are answered and answers arrive.
 */
export class FakeLog {
  readonly events: LogEvent[] = [];
  readonly pending: LogEvent[] = [];
  purgedThrough = 0;
  /** The session that an event revokes, by the event's id. */
  readonly sids = new Map<string, string>();
  private readonly keys = new EventKeys(ISSUER);
  private count = 0;

  constructor(readonly clock: AuthClock) {}

  get head(): Head {
    const last = this.events.at(-1);
    return headAt(last?.position ?? 0, {
      lastEventId: last?.id ?? null,
      purgedThrough: this.purgedThrough,
      maxTokenLife: 900_000,
      now: this.clock.database(0),
    });
  }

  /** The event of a session that does not exist. */
  draft(until: number): LogEvent {
    const id = idAt(++this.count);
    const sid = randomUUID();
    this.sids.set(id, sid);
    return eventAt(null, { id, key: this.keys.hex('session', ISSUER, sid), until });
  }

  /** W1: the next position, and what the head was before. */
  number(draft: LogEvent): { head: Head; event: LogEvent } {
    const { head } = this;
    const event = { ...draft, position: head.position + 1 };
    const waiting = this.pending.findIndex(({ id }) => id === draft.id);
    if (waiting >= 0) this.pending.splice(waiting, 1);
    this.events.push(event);
    return { head, event };
  }

  /** X1, X2: expired rows go, but never the last. */
  purge(): void {
    const now = this.clock.database(0);
    const gone = this.events.slice(0, -1).filter(({ until }) => until !== null && until < now);
    for (const event of gone) this.events.splice(this.events.indexOf(event), 1);
    this.purgedThrough = Math.max(this.purgedThrough, ...gone.map(({ position }) => position ?? 0));
  }

  /** The connection of one instance. */
  connect(): FakeConnection {
    return new FakeConnection(this);
  }

  /** What one statement would see now. */
  rows(from: number, withPending: boolean): StatementResult {
    const { head } = this;
    const shared: Row = {
      log_id: 'log',
      head_position: String(head.position),
      last_event_id: head.lastEventId,
      purged_through: String(head.purgedThrough),
      format: '1',
      max_staleness: String(head.maxStaleness),
      max_token_life: String(head.maxTokenLife),
      now: String(head.now),
      server: 'only',
      server_now: 'only',
      pending_marks: '0',
      event_id: null,
    };
    const found = this.events.filter(({ position }) => (position ?? 0) >= from);
    const rows = [...found, ...(withPending ? this.pending : [])].map((event) => ({
      ...shared,
      ...rowOf(event),
    }));
    return { rows: rows.length === 0 ? [shared] : rows, affected: 0 };
  }
}

function rowOf(event: LogEvent): Row {
  const isNumbered = event.position !== null;
  return {
    event_position: isNumbered ? String(event.position) : null,
    event_id: event.id,
    kind: event.kind,
    event_key: event.key,
    kills_below: null,
    except_key: null,
    access_only: '0',
    issued_before: null,
    keep_until: isNumbered ? String(event.until) : null,
    reason: event.reason,
  };
}

export class FakeConnection {
  private readonly flights: Flight[] = [];

  constructor(private readonly log: FakeLog) {}

  /** How many polls are in flight. */
  get underWay(): number {
    return this.flights.length;
  }

  /** The database reads the log for the oldest poll without an answer. */
  answer(): void {
    const flight = this.flights.find((each) => each.answer === undefined);
    if (flight !== undefined) flight.answer = this.log.rows(flight.cursor, true);
  }

  /** The oldest answer arrives. */
  arrive(): void {
    const flight = this.flights.find((each) => each.answer !== undefined);
    if (flight?.answer === undefined) return;
    this.flights.splice(this.flights.indexOf(flight), 1);
    flight.arrive(flight.answer);
  }

  /** The connection of a poll, by default the oldest, is destroyed. */
  fail(flight = this.flights[0]): void {
    if (flight === undefined) return;
    this.flights.splice(this.flights.indexOf(flight), 1);
    flight.fail(new Error('The connection was destroyed.'));
  }

  /** What the feed takes for its connections and statements. */
  open(): OpenLog {
    const history = new LogHistory();
    // No log was lost here: a fork is an error of the feed, and must be reported, not fixed by a
    // jump.
    history.contradict = () => undefined;
    const statement = (...values: number[]): Statement => ({ sql: '', values });
    const database: Partial<LogDatabase> = {
      read: async ({ values }) => {
        const [after = 0, through = Infinity] = values as number[];
        const { rows } = this.log.rows(after + 1, false);
        const isPage = values.length > 0;
        if (!isPage) return { rows: rows.slice(0, 1), affected: 0 };
        const page = rows.filter(
          (row) => row['event_id'] !== null && Number(row['event_position']) <= through,
        );
        return { rows: page, affected: 0 };
      },
      poll: ({ values }, timeout, onSend) => {
        onSend();
        return new Promise((arrive, fail) => {
          const flight = { cursor: Number(values[0]), answer: undefined, arrive, fail };
          this.flights.push(flight);
          this.log.clock.schedule(timeout, () => {
            if (this.flights.includes(flight)) this.fail(flight);
          });
        });
      },
      transaction: async () => undefined as never,
    };
    return {
      id: 'log',
      database,
      statements: { position: () => statement(), page: statement, poll: statement },
      transactions: {},
      history,
    } as unknown as OpenLog;
  }
}
