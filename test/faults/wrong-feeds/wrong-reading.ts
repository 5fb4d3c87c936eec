import { jest } from '@jest/globals';
import type { Promised } from '../history/violation.js';
import type { ObservedCluster, ObservedInstance } from './observed-cluster.js';

/**
 * A broken reader of a rule of protocol.md, used instead of the correct one while it is patched.
 */
export interface WrongReading {
  readonly rule: string;
  readonly name: string;
  readonly breaks: Promised;
  /** Puts it into the real classes; `jest.restoreAllMocks()` removes it. */
  readonly patch: () => void;
  /** The interleaving that shows it; with the correct reader it must break nothing. */
  readonly play: (
    cluster: ObservedCluster,
    a: ObservedInstance,
    b: ObservedInstance,
  ) => Promise<void>;
}

/** What a patch sees of a class, including its private members. */
export type Open = Record<string, (...given: unknown[]) => unknown>;

/** Replaces a method by `make(original)`. */
export function replace(
  type: { readonly prototype: object },
  method: string,
  make: (original: (...given: unknown[]) => unknown) => (this: never, ...given: never[]) => unknown,
): void {
  const open = type.prototype as Open;
  const original = open[method] as (...given: unknown[]) => unknown;
  jest.spyOn(open, method).mockImplementation(make(original) as never);
}
