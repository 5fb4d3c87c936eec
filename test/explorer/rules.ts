/**
 * The rules of protocol.md that a model can show, by their names there, each with what happens without it.
 *
 * Each is a switch: the explorer finds nothing with all of them on, and a counter-example with any one off.
 */
export const RULES = {
  'G1 login': 'the password is compared before the position is read',
  'G1 refresh': 'the claims are loaded before the position is read',
  'G1 again': 'a refresh that a watermark has overtaken rotates all the same',
  G2: 'the lifetime of a token starts at its signing, not at the read of its position',
  G3: 'a retry is numbered afresh and kills below its new position',
  G4: 'the latest event of a subject decides alone',
  G5: 'a token beyond the head is refused, and no instance jumps',
  G6: 'refresh looks for event rows instead of watermarks',
  'W1 head': 'a number is taken before COMMIT, not under the head lock',
  'W1 look': 'a retry raises the head without looking for its id',
  W3: 'an event is kept for the token lifetime of its writer, not for the longest registered',
  'W4 provisional': 'an unknown COMMIT counts as done',
  'W4 settled': 'what is provisional never ends',
  C2: 'polls do not read pending events',
  'C2 next': 'a pending event kills every token, whatever its position',
  C3: 'a pending event expires one token lifetime after it was written',
  'C4 login': 'a login reads its position while an event waits for its number',
  'C4 refresh': 'a refresh does not wait for the number of an event that ends its session',
  'C4 dedupe': 'two movers number the same event twice',
  'F1 one statement': 'events and pending ones are read by two statements',
  'F2 sending': 'an answer is judged by what is known when it arrives',
  'F2 later': 'an answer counts although another was accepted since it was sent',
  'F3 history': 'head and cursor of an answer are not compared with what is remembered',
  'F3 known': 'a known event may be missing in an answer',
  'F3 written since': 'an own write since the sending may be missing where the answer passes it',
  'F3 heard late':
    'an own write that the cursor has passed counts as read, whether an answer held it or not',
  'F3 registered': 'an answer counts whose head holds less than the own registration',
  F4: 'a proof is dated by the receipt of the answer',
  'F4 registered': 'proofs from before the registration count',
  F5: 'an accepted answer is proof for ever',
  'F7 closed': 'a load is a proof',
  'F7 head first': 'a load reads the head after the rows',
  T2: 'expired rows are found by the clock of a host that runs ahead',
  X1: 'the last row of the log is purged like any other',
  X2: 'the purge does not raise purged_through',
  'X3 reload': 'a cursor row that was purged is a fork',
  'X3 compare': 'a reload is not compared with what is known',
  'H1 closed': 'an answer that contradicts counts as a proof',
  'H1 merge': 'a reload replaces what was known',
  'H1 cursor': 'the cursor stays where it was before the reload',
  'H1 refresh': 'refresh asks the database alone',
  'H2 jump': 'no instance jumps',
  'H2 time': 'a jump does not count from database time',
  'H2 purged': 'a jump does not raise purged_through',
  'H2 gap': 'a token whose position a jump leapt over is judged like any other',
  'H3 new history': 'a backup is restored without the command new-history',
  'H3 load jumps': 'without an identity, a load does not jump',
  'H3 followed': 'a log that no running instance follows is loaded without a jump',
  H4: 'no instance registers its bound',
  H5: 'an event of an unknown kind is skipped',
} as const;

export type RuleName = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

/** Which rules hold. */
export type Rules = Readonly<Record<RuleName, boolean>>;

/** Every rule holds except those named. */
export function rulesWithout(...off: readonly RuleName[]): Rules {
  return Object.fromEntries(RULE_NAMES.map((name) => [name, !off.includes(name)])) as Rules;
}
