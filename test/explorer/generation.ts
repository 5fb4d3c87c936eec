import { has } from './cells.js';
import { needsJump } from './histories.js';
import { type Model, nameOf, sessionName, type Step } from './model.js';
import { AUTHORITY, READ } from './numbering.js';
import { pendingAmong } from './pending.js';
import { type Instance, type IssueCells, NUMBERED } from './world.js';

/** G: logins in steps. With G1 the position is read first, then the password is checked, then the token is signed. */
export function offerLogins(model: Model, step: Step): void {
  const { scope, world } = model;
  for (const [session, login] of world.logins.entries()) {
    if (scope.sessions[session] === 'in' || world.tokens[session]!.live === 1) continue;
    offerIssue(model, step, login, {
      positionFirst: model.rules['G1 login'],
      read: `reads the position for the login of ${sessionName(session)}`,
      check: `compares the password for the login of ${sessionName(session)}`,
      end: (instance) => {
        step(
          () => `${nameOf(instance)} signs the token of ${sessionName(session)}`,
          () => signLogin(model, session, login),
        );
      },
    });
  }
}

/** G1, P9: refreshes of the first session, in steps: position, claims, then the rotating transaction. */
export function offerRefreshes(model: Model, step: Step): void {
  const { scope, world } = model;
  for (const [index, refresh] of world.refreshes.entries()) {
    const token = scope.sessions.length + index;
    if (world.tokens[0]!.live === 0 || world.tokens[token]!.live === 1) continue;
    if (refresh.stage === DONE || (index > 0 && world.refreshes[index - 1]!.stage === 0)) continue;
    offerIssue(model, step, refresh, {
      positionFirst: model.rules['G1 refresh'],
      read: `reads the position for a refresh of ${sessionName(0)}`,
      check: `loads the claims for a refresh of ${sessionName(0)}`,
      end: (instance) => {
        step(
          () => `${nameOf(instance)} rotates the refresh token of ${sessionName(0)}`,
          () => rotate(model, refresh, token, instance),
        );
      },
    });
  }
}

const DONE = 4;

interface IssueTexts {
  readonly positionFirst: boolean;
  readonly read: string;
  readonly check: string;
  readonly end: (instance: Instance) => void;
}

function offerIssue(model: Model, step: Step, issue: IssueCells, texts: IssueTexts): void {
  const { instances } = model.world;
  if (issue.stage === (READ | AUTHORITY)) {
    const instance = instances[issue.by]!;
    if (!needsJump(model, instance)) texts.end(instance);
    return;
  }
  const isReadNext = (issue.stage === 0) === texts.positionFirst;
  const able = issue.stage === 0 ? instances : [instances[issue.by]!];
  for (const instance of able) {
    if (instance.own.up === 0 || instance.own.registered === 0) continue;
    const told = `${nameOf(instance)} ${isReadNext ? texts.read : texts.check}`;
    if (isReadNext) {
      if (needsJump(model, instance) || mustMoveFirst(model, issue)) continue;
      step(
        () => `${told}: ${model.world.db.head.position}`,
        () => readPosition(model, issue, instance),
      );
    } else {
      step(
        () => told,
        () => {
          begin(model, issue, instance);
          issue.stage |= AUTHORITY;
          issue.must = 0;
        },
      );
    }
  }
}

/**
 * C4: a login or refresh that finds a subject or issuer event pending awaits the mover; a refresh also
 * for what ends one session (P9).
 */
function mustMoveFirst(model: Model, issue: IssueCells): boolean {
  const { rules, scope, world } = model;
  const isRefresh = world.refreshes.includes(issue) && rules['C4 refresh'];
  const awaited = (rules['C4 login'] ? scope.judged : 0) | (isRefresh ? scope.full : 0);
  return pendingAmong(model, awaited) !== 0;
}

/** P9 holds from the first step on. */
function begin(model: Model, issue: IssueCells, { index }: Instance): void {
  const { world, scope } = model;
  if (issue.stage !== 0) return;
  issue.by = index;
  if (!world.refreshes.includes(issue)) return;
  issue.doomed = world.tokens[0]!.must & scope.full;
  issue.turn = world.db.sessions[0]!.turn;
}

/** G1, G2: position and time in one read on the primary. */
function readPosition(model: Model, issue: IssueCells, instance: Instance): void {
  const { world, scope, rules, now } = model;
  begin(model, issue, instance);
  issue.stage |= READ;
  issue.gen = world.db.head.position;
  issue.not = model.effective(scope.judged);
  if (rules['G2']) issue.expires = now + (scope.lives[instance.index] as number);
  instance.own.highest = Math.max(instance.own.highest, issue.gen);
}

function signLogin(model: Model, session: number, login: IssueCells): void {
  issueToken(model, session, login, login.must);
  if (model.scope.refreshes > 0) {
    const row = model.world.db.sessions[session]!;
    row.row = 1;
    row.gen = login.gen;
  }
  clearIssue(login);
}

function issueToken(model: Model, index: number, issue: IssueCells, must: number): void {
  const token = model.world.tokens[index]!;
  token.live = 1;
  token.gen = issue.gen;
  token.expires = model.rules['G2']
    ? issue.expires
    : model.now + (model.scope.lives[issue.by] as number);
  token.must = must;
  token.not = issue.not;
  token.lostFuture = issue.lostFuture;
}

/**
 * G6, H1: the transaction that locks the session. It refuses what the watermarks or this instance's memory
 * have revoked. A refresh token has one successor (P9).
 */
function rotate(model: Model, refresh: IssueCells, index: number, instance: Instance): void {
  const { world, scope, rules } = model;
  const session = world.db.sessions[0]!;
  const login = world.tokens[0]!;
  const isReused = refresh.turn !== session.turn;
  const isRemembered = instance.known.some(
    ({ killsBelow, until }, slot) =>
      until > 0 && has(scope.full, slot) && endsSession(model, slot, killsBelow, login.gen),
  );
  const isMarked = rules['G6'] ? session.mark > session.gen : isEndedByRow(model, session.gen);
  if (session.row === 0 || isReused) {
    finish(refresh);
  } else if (isMarked || (rules['H1 refresh'] && isRemembered)) {
    const outside = model.effective(scope.full) & (scope.concerning[0] as number) & ~login.not;
    const isJustified = outside !== 0 || login.lostFuture === 1;
    model.forbid(!isJustified, 'P8: a refresh was refused although no event ends its session');
    finish(refresh);
  } else if (session.accessMark > refresh.gen && rules['G1 again']) {
    startAgain(model, refresh, instance);
  } else {
    model.forbid(
      session.accessMark > refresh.gen,
      'G1: a refresh returns an access token that is already revoked',
    );
    const isDoomed = world.events.some(
      (event, slot) => has(refresh.doomed, slot) && event.lost === 0,
    );
    model.forbid(isDoomed, 'P9: a refresh succeeded after its session had ended');
    model.forbid(isRemembered, 'P6: an instance refreshed a session that it refuses as ended');
    issueToken(model, index, refresh, refresh.must | (login.must & scope.full));
    session.turn++;
    finish(refresh);
  }
}

/** G1: when a watermark has overtaken it, it starts again with the read. The refresh token is not used up. */
function startAgain(model: Model, refresh: IssueCells, instance: Instance): void {
  if (mustMoveFirst(model, refresh)) return;
  refresh.stage = 0;
  refresh.must = 0;
  const { doomed, turn } = refresh;
  readPosition(model, refresh, instance);
  Object.assign(refresh, { doomed, turn });
}

function isEndedByRow(model: Model, gen: number): boolean {
  return model.world.db.rows.some(
    ({ where, killsBelow }, slot) =>
      where === NUMBERED &&
      has(model.scope.full, slot) &&
      endsSession(model, slot, killsBelow, gen),
  );
}

function endsSession(model: Model, slot: number, killsBelow: number, gen: number): boolean {
  return model.concerns(slot, 0) && model.kills(slot, killsBelow, gen);
}

function finish(refresh: IssueCells): void {
  clearIssue(refresh);
  refresh.stage = DONE;
}

export function clearIssue(issue: IssueCells): void {
  issue.stage = 0;
  issue.by = 0;
  issue.gen = 0;
  issue.expires = 0;
  issue.must = 0;
  issue.not = 0;
  issue.doomed = 0;
  issue.turn = 0;
  issue.lostFuture = 0;
}
