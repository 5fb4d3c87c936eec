import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { describeOn, serverKinds, type TestDatabase } from '../support/databases.js';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import { makeNewerRelease, type NewerRelease } from '../support/newer-release.js';
import { QuickstartProcess } from '../support/quickstart-process.js';
import { LogWriter, sessionEnd } from '../support/log-writer.js';
import { eventually } from '../support/eventually.js';
import { load, UNDISTURBED } from './load.js';

describeOn(serverKinds, 'H5: adjacent releases on one set of tables', (kind) => {
  let database: TestDatabase;
  let sql: DataSource;
  /** Opened before the format is raised: this release would refuse to, afterwards. */
  let writer: LogWriter;
  let newer: NewerRelease;
  let env: Readonly<Record<string, string>>;
  let older: QuickstartProcess;
  let next: QuickstartProcess;

  beforeAll(async () => {
    database = await kind.create();
    sql = await new DataSource(database.options).initialize();
    newer = makeNewerRelease();
    env = { DATABASE_URL: database.url, AUTH_SECRET: SHARED_SECRET, MAX_STALENESS: '10' };
    older = await QuickstartProcess.start(env);
    writer = await LogWriter.on(database);
  });

  afterAll(async () => {
    await QuickstartProcess.stopAll();
    newer?.remove();
    await writer?.close();
    await sql?.destroy();
    await database?.drop();
  });

  const startNewer = (): Promise<QuickstartProcess> =>
    QuickstartProcess.start({ ...env, PLATFORM: 'fastify' }, undefined, newer.main);

  const head = async (): Promise<{ position: number; format: number }> => {
    const rows = (await sql.query('SELECT position, format FROM auth_head')) as unknown[];
    const { position, format } = rows[0] as Record<string, unknown>;
    return { position: Number(position), format: Number(format) };
  };

  const healthOf = async (one: QuickstartProcess): Promise<Record<string, unknown>> =>
    (await one.get('/health')).body as Record<string, unknown>;

  const append = async (what: string): Promise<void> => {
    const event = sessionEnd('nobody');
    await writer.append([{ ...event, kind: what as typeof event.kind }]);
  };

  const expectRefused = async (token: string, by: QuickstartProcess[]): Promise<void> => {
    for (const one of by) await eventually(async () => (await one.me(token)) === 401);
  };

  it('while the newer release boots, the older one answers no request with 503', async () => {
    const loading = load([older]);
    next = await startNewer();
    expect((await loading).answers).toEqual(UNDISTURBED);
  });

  it('under load together both releases answer no request with 503, and every logout holds on both', async () => {
    const { answers, ended } = await load([older, next]);
    expect(answers).toEqual(UNDISTURBED);
    for (const token of ended.slice(-10)) await expectRefused(token, [older, next]);
  });

  it('the newer release writes only what the older one knows, until the format is raised', async () => {
    expect((await head()).format).toBe(1);
    const rows = (await sql.query('SELECT DISTINCT kind FROM auth_event')) as { kind: string }[];
    expect(rows.map((row) => row.kind)).not.toContain(newer.kind);
  });

  it('an event of kind `history`, which every format has, closes neither release', async () => {
    await append('history');
    const { position } = await head();
    for (const one of [older, next]) {
      await eventually(async () => Number((await healthOf(one))['position']) >= position);
      expect(await one.me(mintToken())).toBe(200);
    }
  });

  it('after the format was raised the older release closes, and still refuses what it knows', async () => {
    const [good, ended] = [mintToken(), mintToken()];
    expect(await older.logout(ended)).toBe(204);
    await sql.query(`UPDATE auth_head SET format = ${newer.format}`);
    await eventually(async () => (await older.me(good)) === 503);
    expect(await older.me(ended)).toBe(401);
    expect((await healthOf(older))['status']).toBe('stale');
    expect(await next.me(good)).toBe(200);
  });

  it('after the format was raised a process of the older release refuses to boot, and names the format', async () => {
    const { code, output } = await QuickstartProcess.fail(env);
    expect(code).not.toBe(0);
    expect(output).toContain(`the revocation log has format ${newer.format}`);
    expect(output).toContain('Update nestjs-logout in this application.');
  });

  it('the newer instances continue under load, beside events of the new kind, without a 503', async () => {
    await older.stop();
    const another = await startNewer();
    const loading = load([next, another]);
    for (let times = 0; times < 20; times++) await append(newer.kind);
    const { answers, ended } = await loading;
    expect(answers).toEqual(UNDISTURBED);
    await expectRefused(ended.at(-1) ?? '', [next, another]);
  });
});
