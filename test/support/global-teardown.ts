/** Stops the PostgreSQL of {@link globalSetup}; its data directory goes with it. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.stopTestPostgres?.();
}
