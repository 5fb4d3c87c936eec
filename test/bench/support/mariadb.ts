import type { DataSourceOptions } from 'typeorm';
import { optionsOfServer, withServer } from '../../support/database-server.js';
import { MariaDbServer } from '../../support/mariadb-server.js';

/** A MariaDB that one bench owns. */
export interface BenchMariaDb {
  readonly options: DataSourceOptions;
  readonly stop: () => Promise<void>;
}

/** Starts a MariaDB that waits for the disk at each commit, as it comes; `undefined` where none is installed. */
export async function startMariaDb(): Promise<BenchMariaDb | undefined> {
  if (!MariaDbServer.isInstalled) {
    process.stderr.write('  no MariaDB: its programs are not installed\n');
    return undefined;
  }
  const server = await MariaDbServer.start({ isDurable: true });
  await withServer(optionsOfServer(server.url), ['CREATE DATABASE bench']);
  return { options: optionsOfServer(`${server.url}/bench`), stop: () => server.stop() };
}
