import type { PostgresServer, ServerSettings } from '../../support/postgres-server.js';

/** What makes a server write down each statement, with its own clock's word on how long it took. */
export const STATEMENT_LOG: ServerSettings = {
  log_min_duration_statement: '0',
  log_parameter_max_length: '0',
  log_line_prefix: '%n %d ',
  log_checkpoints: 'off',
};

/** One statement as the server saw it. */
export interface LoggedStatement {
  /** When it was done, by the server's wall clock (epoch ms). */
  readonly at: number;
  readonly database: string;
  /** The time in the server, including parsing and binding (ms). */
  readonly took: number;
  readonly sql: string;
}

const LINE =
  /^(\d+\.\d+) (\S+) LOG: {2}duration: ([\d.]+) ms {2}(parse|bind|execute|statement)[^:]*: (.*)$/;

/** Reads the statements out of what a server with {@link STATEMENT_LOG} writes. */
export class StatementLog {
  readonly statements: LoggedStatement[] = [];
  private rest = '';
  /**
   * Parsing and binding come before their execution, on the same connection; no other caller waits.
   */
  private readonly prepared = new Map<string, number>();

  constructor(server: PostgresServer) {
    server.onLog((text) => this.read(text));
  }

  /** The statements to one database within a span of time (epoch ms). */
  of(database: string, from: number, to: number): LoggedStatement[] {
    return this.statements.filter(
      (each) => each.database === database && each.at >= from && each.at < to,
    );
  }

  private read(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.take(line);
  }

  private take(line: string): void {
    const [, at, database, took, step, sql = ''] = LINE.exec(line) ?? [];
    if (at === undefined || database === undefined) return;
    const key = `${database} ${sql}`;
    if (step === 'parse' || step === 'bind') {
      this.prepared.set(key, (this.prepared.get(key) ?? 0) + Number(took));
      return;
    }
    const before = this.prepared.get(key) ?? 0;
    this.prepared.delete(key);
    this.statements.push({ at: Number(at) * 1000, database, took: before + Number(took), sql });
  }
}
