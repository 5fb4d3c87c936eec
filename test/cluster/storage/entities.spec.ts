import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import { AuthAccount, authEntities, AuthSession, authTables, RevocationEvent } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource, EntitySchema, In, IsNull, MoreThan, type Repository } from 'typeorm';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';

interface User {
  id: string;
  email: string;
}

/** As an application declares its own. */
const Users = new EntitySchema<User>({
  name: 'User',
  tableName: 'users',
  columns: { id: { type: 'varchar', length: 50, primary: true }, email: { type: 'varchar' } },
});

describeOn(databaseKinds, 'authEntities', (kind) => {
  let database: TestDatabase;
  let instance: Instance | undefined;
  const opened: DataSource[] = [];

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(async () => {
    await instance?.close();
    instance = undefined;
    for (const dataSource of opened.splice(0)) await dataSource.destroy();
    await database?.drop();
  });

  const start = async (names: { tablePrefix?: string } = {}): Promise<Instance> =>
    (instance = await startInstance(database, { clock: new TestClock(), options: names }));
  const connect = async (
    entities: readonly EntitySchema[],
    synchronize = false,
  ): Promise<DataSource> => {
    const dataSource = await new DataSource({
      ...database.options,
      entities: [Users as EntitySchema, ...entities],
      synchronize,
    }).initialize();
    opened.push(dataSource);
    return dataSource;
  };

  it('authEntities list sessions beside the application’s own users, and the events that ended them', async () => {
    const { login, logout } = await start();
    const token = await login('alice');
    await login('alice');
    await login('bob');
    await logout.logout(token);
    await logout.logoutAll('bob');
    const dataSource = await connect(authEntities, true);
    await dataSource.getRepository(Users).insert({ id: 'alice', email: 'alice@example.com' });

    const sessions = dataSource.getRepository(AuthSession);
    const open = await sessions.findBy({ subject: 'alice', endedAt: IsNull() });
    expect(open).toEqual([
      expect.objectContaining({
        subject: 'alice',
        delivery: 'body',
        endReason: null,
        isPersistent: true,
        key: expect.stringMatching(/^[0-9a-f]{32}$/),
        createdAt: expect.any(Number),
      }),
    ]);
    expect(open[0]).toBeInstanceOf(AuthSession);
    const key = open[0]?.key as string;
    expect(await sessions.findOneBy({ key })).toEqual(open[0]);
    expect(await sessions.countBy({ key: In([key]), idleUntil: MoreThan(1) })).toBe(1);

    const joined = await sessions
      .createQueryBuilder('session')
      .innerJoin('User', 'user', 'user.id = session.subject')
      .select('user.email', 'email')
      .addSelect('session.sid', 'sid')
      .where('session.endedAt IS NULL')
      .getRawMany();
    expect(joined).toEqual([{ email: 'alice@example.com', sid: open[0]?.sid }]);

    const events = await dataSource
      .getRepository(RevocationEvent)
      .find({ order: { position: 'ASC' } });
    expect(events.filter(({ kind }) => kind !== 'history').map(({ kind }) => kind)).toEqual([
      'session',
      'subject',
    ]);
    const accounts = await dataSource.getRepository(AuthAccount).find();
    expect(accounts.filter(({ killsBelow }) => killsBelow > 0)).toHaveLength(1);
  });

  it('authEntities are injected by their classes', async () => {
    await start();
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...database.options, autoLoadEntities: true }),
        TypeOrmModule.forFeature([...authEntities]),
      ],
    }).compile();
    try {
      for (const entity of [AuthSession, AuthAccount, RevocationEvent]) {
        const repository = module.get<Repository<object>>(getRepositoryToken(entity));
        expect(repository.metadata.target).toBe(entity);
        expect(await repository.find()).toEqual(expect.any(Array));
      }
    } finally {
      await module.close();
    }
  });

  it('authEntities are read-only: save() writes none of their columns', async () => {
    const { login } = await start();
    await login('alice');
    const sessions = (await connect(authEntities)).getRepository(AuthSession);
    const [session] = await sessions.find();
    await sessions.save({ ...(session as AuthSession), subject: 'mallory', endedAt: 1 });
    expect(await sessions.find()).toEqual([session]);
  });

  it('authEntities leave our tables alone: a generated migration and synchronize do not mention them', async () => {
    await start();
    const dataSource = await connect(authEntities);
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query).filter((sql) => sql.includes('auth_'))).toEqual([]);
    const indexes = await namesOf(dataSource);
    await dataSource.synchronize();
    expect(await namesOf(dataSource)).toEqual(indexes);
  });

  it('authEntities follow tablePrefix', async () => {
    const { login } = await start({ tablePrefix: 'shop_' });
    await login('alice');
    const { entities } = authTables({ tablePrefix: 'shop_' });
    const sessions = (await connect(entities)).getRepository(AuthSession);
    expect(await sessions.countBy({ subject: 'alice' })).toBe(1);
  });

  it('authEntities may be among the entities of the DataSource that AuthModule uses', async () => {
    const options = { ...database.options, entities: [...authEntities], synchronize: true };
    instance = await startInstance({ ...database, options }, { clock: new TestClock() });
    await instance.login('alice');
    expect(await instance.dataSource.getRepository(AuthSession).count()).toBe(1);
  });

  /** Our indexes, as the database lists them. */
  async function namesOf(dataSource: DataSource): Promise<string[]> {
    const runner = dataSource.createQueryRunner();
    try {
      const table = await runner.getTable('auth_session');
      return [
        ...(table?.columns ?? []).map(({ name, type }) => `${name} ${type}`),
        ...(table?.indices ?? []).map(({ name }) => String(name)),
      ].toSorted();
    } finally {
      await runner.release();
    }
  }
});
