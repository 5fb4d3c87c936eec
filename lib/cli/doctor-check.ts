import type { MissingParts } from '../database/check-tables.js';
import type { AuthTable } from '../database/entities/table.js';
import type { SeenInstance } from '../database/instance.statements.js';
import type { CommandLog } from './command-log.js';

/** The result of one check: something to fix or to know. */
export interface Finding {
  /** `wrong` makes the exit code 1. A `note` may be intended. */
  readonly level: 'wrong' | 'note';
  /** The mistake and its effect, in full sentences. */
  readonly what: string;
  /** What the operator can do, each a command or an instruction. */
  readonly fixes: readonly string[];
}

/** The input of all checks, read once before the first one. */
export interface Patient {
  readonly log: CommandLog;
  /** The tables, columns and indexes that the database does not have. */
  readonly missing: MissingParts;
  /** Whether the server or the role refuses writes. */
  readonly isReadOnly: boolean;
  /** The running instances; empty if their table is missing or cannot be read. */
  readonly running: readonly SeenInstance[];
}

/**
 * `undefined` if nothing is wrong, one or more findings, or a text that says why the check does not
 * apply.
 */
type Found = undefined | Finding | readonly Finding[] | string;

/** One check of `nestjs-logout doctor`. */
export interface Check {
  /** The name in the JSON output. It must not change. */
  readonly name: string;
  /** A statement that is true if the check finds nothing. */
  readonly title: string;
  /** The check is skipped if one of these tables is missing. */
  readonly needs?: readonly AuthTable[];
  /** Makes the check. It must not write. An error becomes a finding, and the other checks still run. */
  look(patient: Patient): Found | Promise<Found>;
}

/** A finding that must be fixed. It makes the exit code 1. */
export function wrong(what: string, ...fixes: string[]): Finding {
  return { level: 'wrong', what, fixes };
}

/** A finding that may be intended. */
export function note(what: string, ...fixes: string[]): Finding {
  return { level: 'note', what, fixes };
}
