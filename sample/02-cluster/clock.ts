/** The one clock by which everything on the page is dated: this process's, monotonic (ms). */
export function now(): number {
  return performance.now();
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
