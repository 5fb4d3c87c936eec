import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';
import {
  answerFrom,
  controlPolls,
  cursorAt,
  eventAt,
  headAt,
  listenForErrors,
} from '../../support/controlled-instance.js';

describe('F2: an answer is judged by what was known at its sending', () => {
  it('an answer without an own write that came after its sending is current', () => {
    const cursor = cursorAt(3);
    const sent = cursor.snapshot();
    cursor.expect([eventAt(4)], headAt(3));
    expect(cursor.judge(answerFrom(headAt(3), [3]), sent, 100)).toEqual({ kind: 'current' });
  });

  it('an answer without an own write that came before its sending is a fork', () => {
    const cursor = cursorAt(3);
    cursor.expect([eventAt(4)], headAt(3));
    const answer = answerFrom(headAt(3), [3]);
    expect(cursor.judge(answer, cursor.snapshot(), 100)).toMatchObject({ kind: 'fork' });
  });

  it('an answer that is older than an own write does not move the cursor back', () => {
    const cursor = cursorAt(3);
    const answer = answerFrom(headAt(3), [3]);
    cursor.expect([eventAt(4)], headAt(3));
    cursor.advance(answer);
    expect(cursor.position).toBe(4);
  });

  it('an own write that was numbered in another history does not move the cursor', () => {
    const cursor = cursorAt(3);
    // A fail-over lost event 3; the logout of another instance has its number now, and ours came
    // behind it.
    cursor.expect([eventAt(4)], { ...headAt(3), lastEventId: 'f'.repeat(32) });
    expect(cursor.position).toBe(3);
    const answer = answerFrom(headAt(4), [3, 4], {
      events: [eventAt(3, { id: 'f'.repeat(32) }), eventAt(4)],
    });
    expect(cursor.judge(answer, cursor.snapshot(), 100)).toMatchObject({ kind: 'fork' });
  });

  it('the cursor keeps expecting an own write above events that it has not read', () => {
    const cursor = cursorAt(3);
    cursor.expect([eventAt(6)], headAt(5));
    const early = answerFrom(headAt(5), [3, 4, 5]);
    expect(cursor.judge(early, cursor.snapshot(), 100)).toMatchObject({ kind: 'current' });
    cursor.advance(early);
    const forgetful = answerFrom(headAt(7), [5, 6, 7], {
      events: [eventAt(5), eventAt(6, { id: 'f'.repeat(32) }), eventAt(7)],
    });
    expect(cursor.judge(forgetful, cursor.snapshot(), 100)).toMatchObject({ kind: 'fork' });
  });

  describeOn(databaseKinds, 'a logout while a poll is in flight', (kind) => {
    let database: TestDatabase;
    let here: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    it('a logout while a poll is in flight is no fork, and takes effect', async () => {
      const errors = listenForErrors();
      const token = await here.login('alice');
      const polls = await controlPolls(here);
      polls.hold();
      here.feed.request();
      await polls.answered(1);
      await here.logout.logout(token);
      expect(await here.judge(token)).toBe('session_ended');
      polls.release();
      await follow(here);
      expect(await here.judge(token)).toBe('session_ended');
      expect(here.cursor.position).toBe(1);
      expect(errors()).toEqual([]);
    });
  });
});
