/** Why a target is missed, for the readers of docs/benchmarks.md. */
export interface Reason {
  /** A part of the figure's name; the first that fits is taken. */
  readonly figure: string;
  /** Only of this Node: `'20'`. */
  readonly node?: string;
  /** One sentence, without a `|`. */
  readonly because: string;
}

/**
 * After a change here, `npm run bench -- --render` writes the page anew from the figures that were
 * measured. It lists the missed targets that have no reason, and the reasons that no target needs.
 */
export const REASONS: readonly Reason[] = [];

/** The sentence beside a missed target. */
export function reasonOf(
  figure: string,
  node: string,
  reasons: readonly Reason[] = REASONS,
): string | undefined {
  return reasons.find((reason) => fits(reason, figure, node))?.because;
}

/** Whether a reason is about this figure. */
export function fits(reason: Reason, figure: string, node: string): boolean {
  return figure.includes(reason.figure) && (reason.node === undefined || reason.node === node);
}
