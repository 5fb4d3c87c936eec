import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for database files and what else a bench leaves behind. */
export function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'nestjs-logout-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
