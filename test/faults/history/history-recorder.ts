import type { History, Incarnation, Isolation, Operation, Outcome } from './operation.js';

/** What is known about an operation before it is sent. */
export type Invocation = Pick<Operation, 'kind' | 'incarnation' | 'subject' | 'session'> &
  Partial<Pick<Operation, 'presented'>>;

/** The result of its answer. */
export type Completion = { readonly outcome: Outcome } & Partial<
  Pick<Operation, 'code' | 'reason' | 'session' | 'successor' | 'isCommitted'>
>;

/** Records a history: an operation when it is invoked, and its outcome when that is known. */
export class HistoryRecorder implements History {
  readonly incarnations: Incarnation[] = [];
  readonly isolations: Isolation[] = [];
  readonly operations: Operation[] = [];

  /** @param now - The observer's clock (ms); the same for everything that is recorded. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A process is about to be started; gives its number. */
  start(instance: string): number {
    return this.incarnations.push({ instance, started: this.now() }) - 1;
  }

  /** The database does not answer this instance until just after the result is called. */
  isolate(instance: string): () => void {
    const isolation = { instance, from: this.now(), to: Infinity };
    this.isolations.push(isolation);
    return () => (isolation.to = this.now());
  }

  /** Records what `call` does; an error it throws is an unknown outcome. */
  async record(invocation: Invocation, call: () => Promise<Completion>): Promise<Operation> {
    const operation: Operation = {
      ...invocation,
      invoked: this.now(),
      completed: Infinity,
      outcome: 'unknown',
    };
    this.operations.push(operation);
    try {
      const completion = await call();
      Object.assign(operation, completion);
    } catch (error) {
      operation.code = (error as NodeJS.ErrnoException).code ?? String(error);
    }
    operation.completed = this.now();
    return operation;
  }

  /** A history that continues this one, with only these operations of it. */
  next(kept: readonly Operation[]): HistoryRecorder {
    const next = new HistoryRecorder(this.now);
    next.incarnations.push(...this.incarnations);
    next.isolations.push(...this.isolations.filter(({ to }) => to === Infinity));
    next.operations.push(...kept);
    return next;
  }
}
