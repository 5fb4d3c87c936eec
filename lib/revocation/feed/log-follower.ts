import { Injectable, Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import type { Head } from '../../database/log.statements.js';
import { AuthEvents } from '../../events/auth-events.service.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { RevocationIndex } from '../index/revocation-index.js';
import { ClockCheck } from '../log/clock-check.service.js';
import { jump } from '../log/log-history.js';
import { type Answer, answerOf, type OpenLog } from '../log/open-log.js';
import { RETENTION_MARGIN } from '../log/retention.js';
import { RevocationLog } from '../log/revocation-log.service.js';
import { type Moment, ProofClock } from '../staleness/proof-clock.js';
import { StalePolicies } from '../staleness/stale-policies.service.js';
import { type Judgement, LogCursor, PENDING_LIMIT } from './log-cursor.js';
import { type LoadedLog, loadLog } from './log-loader.js';

/** The most events in one answer. While there are more, the feed polls again at once. */
const PAGE = 2_000;

/**
 * How often one run may number pending events to make room in an answer, or register again, before
 * it fails.
 */
const MOST_ROUNDS = 10;

/**
 * An answer that reached the head, and the moment before its statement was sent, which is the date
 * of the proof (F4).
 */
export interface CurrentAnswer {
  readonly answer: Answer;
  readonly sent: Moment;
}

/**
 * Brings the index up to the head of the log: it loads and polls, lets the cursor check each
 * answer, and recovers if the history of the log has changed.
 *
 * Specified in docs/protocol.md, "Following" and "Histories".
 */
@Injectable()
export class LogFollower {
  private readonly logger = new Logger('RevocationFeed');
  private registered = false;

  constructor(
    private readonly index: RevocationIndex,
    private readonly writer: RevocationLog,
    private readonly cursor: LogCursor,
    private readonly proofs: ProofClock,
    private readonly policies: StalePolicies,
    private readonly clock: AuthClock,
    private readonly clocks: ClockCheck,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {
    writer.commits.subscribe(({ events, head }) => cursor.expect(events, head));
  }

  /**
   * Polls until an answer reaches the head. An answer before that is no proof, and after a
   * contradiction the earlier proof is dropped too.
   *
   * @param timeout - Milliseconds after which a connection without an answer is destroyed.
   * @throws Error if the database cannot be reached, or if the log cannot be understood.
   */
  async catchUp(log: OpenLog, timeout: number): Promise<CurrentAnswer> {
    if (!this.registered) await this.register();
    if (!this.cursor.isLoaded) {
      // Without a complete load, an answer that reaches the head would prove nothing about older
      // events.
      await this.read(log);
      this.meter.loads.start++;
    }
    let isRecovered = false;
    let hasJumped = false;
    let rounds = 0;
    for (;;) {
      const { answer, sent, judgement } = await this.poll(log, timeout);
      if (isElsewhere(answer.head)) {
        if (hasJumped) throw new Error(elsewhereMessage(answer.head));
        hasJumped = true;
        await jump(log, 'feed');
      } else if (judgement.kind === 'fork' || judgement.kind === 'reload') {
        this.proofs.discard();
        if (isRecovered)
          throw new Error('The revocation log changes faster than it can be loaded.');
        isRecovered = true;
        const contradiction = judgement.kind === 'fork' ? judgement.why : undefined;
        if (contradiction !== undefined) log.history.contradict(answer.head);
        await this.recover(log, contradiction, timeout);
      } else if (judgement.kind === 'unsupported') {
        this.proofs.discard();
        throw new Error(
          `A newer release of nestjs-logout writes this log (${judgement.why}); update this one.`,
        );
      } else {
        this.apply(answer);
        log.history.notice(answer.head.position);
        if (judgement.kind === 'crowded') {
          if (++rounds > MOST_ROUNDS) throw new Error('Pending revocations cannot be numbered.');
          await this.writer.mover.run();
        }
        if (judgement.kind !== 'current') {
          await setImmediate(); // the SQLite driver is synchronous: requests get a turn here
          continue;
        }
        if (this.isRegisteredIn(answer)) return { answer, sent };
        if (++rounds > MOST_ROUNDS) throw new Error('The registration in auth_head does not stay.');
        await this.register();
      }
    }
  }

  /**
   * Sends one poll and lets the cursor check its answer. The snapshot is taken before the poll is
   * sent, because own writes may move the cursor while the answer is on its way (F2).
   */
  private async poll(
    log: OpenLog,
    timeout: number,
  ): Promise<CurrentAnswer & { readonly judgement: Judgement }> {
    const snapshot = this.cursor.snapshot();
    let sent = this.proofs.moment();
    const statement = log.statements.poll(snapshot.position, PAGE, PENDING_LIMIT + 1);
    const { rows } = await log.database.poll(statement, timeout, () => {
      // The poll may have waited for a connection, so its proof is dated again, just before it is
      // sent.
      sent = this.proofs.moment();
    });
    const answer = answerOf(rows, this.clock);
    this.identify(log, answer);
    log.history.noticeTime(answer.head.now);
    return { answer, sent, judgement: this.cursor.judge(answer, snapshot, PAGE) };
  }

  /**
   * Checks that the answer is of the followed log. If another log answers, the earlier proof is
   * dropped too: this instance no longer knows where its log is (P3).
   */
  private identify(log: OpenLog, { logId }: Answer): void {
    try {
      log.history.identify(logId);
    } catch (error) {
      this.proofs.discard();
      throw error;
    }
  }

  /**
   * Adds the events of an answer to the index, then moves the cursor: the index must never be
   * behind it.
   */
  private apply(answer: Answer): void {
    for (const event of answer.events) this.index.add(event);
    this.addPending(answer);
    this.cursor.advance(answer);
  }

  /**
   * Adds pending events. Until it is numbered, each counts as if it had the next position, and does
   * not expire while polls contain it (C2, C3).
   */
  private addPending(answer: Answer): void {
    const { head } = answer;
    for (const event of this.cursor.waiting(answer)) {
      this.index.add(event, {
        killsBelow: head.position + 1,
        until: Math.max(head.now, this.clock.wall()) + head.maxTokenLife + RETENTION_MARGIN,
        issuedBefore: head.now + this.options.clockTolerance,
      });
    }
  }

  /**
   * Loads the log into the index, and sets the cursor to the head that was read before the pages
   * (F7).
   */
  private async read(log: OpenLog): Promise<LoadedLog> {
    const loaded = await loadLog(log, this.index, this.clock, this.clocks);
    log.history.notice(loaded.head.position);
    this.index.reached(loaded.head.position);
    this.cursor.start(loaded.logId, loaded.head);
    return loaded;
  }

  /**
   * Reloads the log into the index, which keeps everything it knows (H1, X3). If only the purge
   * overtook this instance, the reload contains every known event that has not expired. If one is
   * missing, the history has changed.
   */
  private async recover(
    log: OpenLog,
    contradiction: string | undefined,
    timeout: number,
  ): Promise<void> {
    this.index.beginReload();
    const { forgettable } = await this.read(log);
    // A load reads numbered events only. This poll reads the pending ones, which must not count as
    // lost.
    const { answer } = await this.poll(log, timeout);
    for (const event of answer.events) this.index.add(event);
    this.addPending(answer);
    // While the clocks differ, rows that another host has purged would look like lost ones.
    const lost = forgettable === undefined ? 0 : this.index.countMissing(forgettable);
    const isFork = contradiction !== undefined || lost > 0;
    this.meter.loads[isFork ? 'fork' : 'purge']++;
    if (!isFork) return;
    this.meter.histories.fork++;
    this.meter.eventsLost = lost;
    this.events.tell({ type: 'history_lost', lost });
    const why = contradiction ?? 'known events are missing in a reload';
    this.logger.error(
      `The revocation log contradicts what this instance knows (${why}). ${lost} known live events are ` +
        'lost in the database; this instance keeps refusing their tokens. If commits may have been ' +
        'lost that no instance knew, call revokeEveryone().',
    );
  }

  /**
   * Whether the head includes the bounds of this instance. An operator may have lowered them, or a
   * failover may have lost the registration.
   */
  private isRegisteredIn({ head }: Answer): boolean {
    this.policies.update();
    return (
      head.maxStaleness >= this.policies.widest && head.maxTokenLife >= this.options.maxTokenLife
    );
  }

  /**
   * Registers the bounds of this instance (H4). Only polls that are sent after that commit give
   * proofs, so no receipt of another instance can miss the bounds of this one.
   */
  private async register(): Promise<void> {
    await this.writer.register('feed');
    this.registered = true;
  }
}

/**
 * Whether another server answered than the one that wrote the log last. That is so after a
 * promotion, until the log has jumped. It is always so if a proxy sends reads to a replica.
 */
function isElsewhere({ server, serverNow }: Head): boolean {
  return server !== null && serverNow !== null && server !== serverNow;
}

function elsewhereMessage({ server, serverNow }: Head): string {
  return (
    `Server ${serverNow} answers the polls, and ${server} is where the log is written: a replica proves ` +
    'nothing. Connect the log to the primary, past any proxy that splits reads from writes.'
  );
}
