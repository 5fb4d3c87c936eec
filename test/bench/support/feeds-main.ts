import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { setTimeout } from 'node:timers/promises';
import { AuthModule } from '../../../lib/auth.module.js';
import { AuthClock, type CancelSchedule } from '../../../lib/platform/auth-clock.js';
import { postgresHint } from '../../../lib/postgres/postgres.hint.js';
import type { HintContext, RevocationHint } from '../../../lib/options/revocation-hint.js';
import { RevocationService } from '../../../lib/revocation/revocation.service.js';
import type { FeedsCommand, FeedsSettings } from './feeds-process.js';

/** Those that went to sleep together must not wake together (ms): the interval between two polls. */
const SPREAD = 1_250;

/** How many are started at a time. */
const AT_ONCE = 10;

/** Timers that come due in a pause wait for its end. */
class PausableClock extends AuthClock {
  private static held: (() => void)[] | undefined;

  static pause(): void {
    PausableClock.held ??= [];
  }

  static resume(): void {
    const held = PausableClock.held ?? [];
    PausableClock.held = undefined;
    for (const task of held) void setTimeout(Math.random() * SPREAD).then(task);
  }

  override schedule(delay: number, task: () => void, keepAlive = false): CancelSchedule {
    let isOver = false;
    const run = (): void => {
      if (isOver) return;
      if (PausableClock.held !== undefined) PausableClock.held.push(run);
      else task();
    };
    const cancel = super.schedule(delay, run, keepAlive);
    return () => {
      isOver = true;
      cancel();
    };
  }
}

/** Loses its connections in a pause; the module opens them again afterwards. */
class PausableHint implements RevocationHint {
  private static readonly contexts = new Set<HintContext>();
  private readonly inner = postgresHint();
  readonly name = this.inner.name;
  readonly whenUnheard = this.inner.whenUnheard;

  static pause(): void {
    for (const context of PausableHint.contexts) context.lost(new Error('a pause of the bench'));
    PausableHint.contexts.clear();
  }

  prepare(log: Parameters<RevocationHint['prepare']>[0]): Promise<void> {
    return this.inner.prepare(log);
  }

  async connect(context: HintContext): ReturnType<RevocationHint['connect']> {
    const connection = await this.inner.connect(context);
    PausableHint.contexts.add(context);
    return connection;
  }
}

const settings = JSON.parse(process.env['BENCH_FEEDS'] ?? '{}') as FeedsSettings;
Logger.overrideLogger(['error']);
const modules: TestingModule[] = [await open(0)];
while (modules.length < settings.count) {
  const next = Math.min(AT_ONCE, settings.count - modules.length);
  modules.push(
    ...(await Promise.all(Array.from({ length: next }, (_, i) => open(modules.length + i)))),
  );
}
const revocations = modules.map((module) => module.get(RevocationService, { strict: false }));
const wanted = settings.hint ? 'listening' : 'off';
while (revocations.some((each) => each.status().hint !== wanted)) await setTimeout(20);
process.on('message', (command: FeedsCommand) => {
  if (command === 'pause') {
    PausableClock.pause();
    PausableHint.pause();
  }
  if (command === 'resume') PausableClock.resume();
  const all = revocations.map((each) => each.status());
  process.send?.(all.filter(({ fresh, hint }) => fresh && hint === wanted).length);
});
process.once('disconnect', () => process.exit(0));
process.send?.(modules.length);

/** One instance: without HTTP, and with its own connections. */
async function open(index: number): Promise<TestingModule> {
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer: 'https://issuer.bench',
        audience: 'https://audience.bench',
        strategyName: `feed${index}`,
        migrations: index === 0 ? 'run' : 'check',
        dataSource: { type: 'postgres', url: settings.url },
        hint: settings.hint ? new PausableHint() : undefined,
      }),
    ],
  })
    .overrideProvider(AuthClock)
    .useValue(new PausableClock())
    .compile();
  await module.init();
  return module;
}
