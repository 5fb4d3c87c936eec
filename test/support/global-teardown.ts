/** Stops the servers of {@link globalSetup}; their files go with them. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.stopTestServers?.();
}
