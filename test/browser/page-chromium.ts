import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Between two checks of a page (ms): without it they use a processor that the page needs. */
const PAUSE = 20;
/** For a page on a machine that is busy with other tests (ms). */
const PATIENCE = 60_000;
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** Where this machine has a Chromium; Debian's package is called `chromium`. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable);
}

interface Reply {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

interface Evaluated {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly exception?: { readonly description?: string } };
}

/** A headless Chromium with its own profile, driven over the DevTools protocol on a pipe. */
export class Chromium {
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private readonly profile = mkdtempSync(join(tmpdir(), 'nestjs-logout-chromium-'));
  private readonly child: ChildProcess;
  private lastId = 0;

  constructor(path: string) {
    const flags = ['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${this.profile}`];
    const more = ['--no-first-run', '--disable-gpu', '--disable-dev-shm-usage'];
    // Chromium refuses its sandbox to root, as whom containers run tests.
    const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    this.child = spawn(path, [...flags, ...more, ...root], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    let rest = '';
    (this.child.stdio[4] as Readable).on('data', (bytes: Buffer) => {
      const messages = (rest + bytes.toString()).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.hear(JSON.parse(message) as Reply);
    });
    this.child.once('exit', () => {
      for (const reply of this.waiting.values()) reply({ error: { message: 'Chromium is gone.' } });
    });
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<unknown> {
    const id = ++this.lastId;
    const reply = await new Promise<Reply>((resolve) => {
      const late = { error: { message: `no answer within ${PATIENCE} ms` } };
      const timer = setTimeout(resolve, PATIENCE, late);
      this.waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      const text = JSON.stringify({ id, method, params, sessionId });
      (this.child.stdio[3] as Writable).write(`${text}\0`);
    });
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`);
    return reply.result;
  }

  /** A tab of the one profile: tabs share what tabs of a browser share. */
  async open(url: string): Promise<Tab> {
    const { targetId } = (await this.send('Target.createTarget', { url })) as { targetId: string };
    const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
    return new Tab(this, (attached as { sessionId: string }).sessionId);
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      // Not by a signal: its children would go on writing into the profile.
      await Promise.all([gone, this.send('Browser.close').catch(() => undefined)]);
    }
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private hear(reply: Reply): void {
    if (reply.id === undefined) return;
    this.waiting.get(reply.id)?.(reply);
    this.waiting.delete(reply.id);
  }
}

/** One tab. Expressions are JavaScript that runs in its page. */
export class Tab {
  constructor(
    private readonly browser: Chromium,
    private readonly sessionId: string,
  ) {}

  send(method: string, params: object = {}): Promise<unknown> {
    return this.browser.send(method, params, this.sessionId);
  }

  async evaluate(expression: string): Promise<unknown> {
    const params = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = (await this.send(
      'Runtime.evaluate',
      params,
    )) as unknown as Evaluated;
    if (exceptionDetails === undefined) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? `It threw: ${expression}`);
  }

  /** Resolves when it is true. */
  async until(expression: string, patience = PATIENCE): Promise<void> {
    const end = Date.now() + patience;
    while (Date.now() < end) {
      // While the browser leaves a page for the next one, no page answers.
      if ((await this.evaluate(`Boolean(${expression})`).catch(() => false)) === true) return;
      await sleep(PAUSE);
    }
    const text = String(await this.evaluate('document.body.innerText'));
    throw new Error(`It did not become true: ${expression}\nThe page says:\n${text}`);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
