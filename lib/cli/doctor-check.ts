import type { MissingParts } from '../database/check-tables.js';
import type { AuthTable } from '../database/entities/table.js';
import type { SeenInstance } from '../database/instance.statements.js';
import type { CommandLog } from './command-log.js';

/** What one check found. */
export interface Finding {
  /** `wrong` ends the command with 1; a `note` is worth knowing and may be meant. */
  readonly level: 'wrong' | 'note';
  readonly what: string;
  readonly fixes: readonly string[];
}

/** What is looked at. */
export interface Patient {
  readonly log: CommandLog;
  readonly missing: MissingParts;
  readonly isReadOnly: boolean;
  /** Those that are running; none where the table is missing. */
  readonly running: readonly SeenInstance[];
}

/** Nothing, what is wrong, or a text: why the check does not apply here. */
type Found = undefined | Finding | readonly Finding[] | string;

/** One look at one thing. */
export interface Check {
  /** Stable; it is in the JSON. */
  readonly name: string;
  /** What is right when nothing is found. */
  readonly title: string;
  /** Without these tables it is skipped. */
  readonly needs?: readonly AuthTable[];
  look(patient: Patient): Found | Promise<Found>;
}

/** What has to be fixed; it makes the command end with 1. */
export function wrong(what: string, ...fixes: string[]): Finding {
  return { level: 'wrong', what, fixes };
}

/** What is worth knowing, and no mistake. */
export function note(what: string, ...fixes: string[]): Finding {
  return { level: 'note', what, fixes };
}
