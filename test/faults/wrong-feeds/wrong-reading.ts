import { jest } from '@jest/globals';
import type { Promised } from '../history/violation.js';
import type { ObservedCluster, ObservedInstance } from './observed-cluster.js';

/** A rule of protocol.md read wrongly, put in the place of the right one while it is patched. */
export interface WrongReading {
  readonly rule: string;
  readonly name: string;
  readonly breaks: Promised;
  /** Puts it into the real classes; `jest.restoreAllMocks()` takes it out. */
  readonly patch: () => void;
  /** The order of things that shows it; with the right reading it must break nothing. */
  readonly play: (
    cluster: ObservedCluster,
    a: ObservedInstance,
    b: ObservedInstance,
  ) => Promise<void>;
}

/** What a patch sees of a class, its private members too. */
export type Open = Record<string, (...given: unknown[]) => unknown>;

/** Puts `make(original)` in the place of a method. */
export function replace(
  type: { readonly prototype: object },
  method: string,
  make: (original: (...given: unknown[]) => unknown) => (this: never, ...given: never[]) => unknown,
): void {
  const open = type.prototype as Open;
  const original = open[method] as (...given: unknown[]) => unknown;
  jest.spyOn(open, method).mockImplementation(make(original) as never);
}
