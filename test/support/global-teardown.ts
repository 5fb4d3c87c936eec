/** Stops the servers of {@link globalSetup} and deletes their files. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.stopTestServers?.();
}
