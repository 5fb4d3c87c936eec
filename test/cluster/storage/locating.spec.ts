import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, type ModuleMetadata, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule, type AuthSettings, AuthWiringError } from 'nestjs-logout';
import { DataSource } from 'typeorm';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { LogConnection } from '../../support/internals.js';

class ShopDataSource extends DataSource {}

describe('where the log is stored', () => {
  let first: TestDatabase;
  let second: TestDatabase;
  let app: INestApplication | undefined;
  const sources: DataSource[] = [];

  beforeEach(async () => {
    [first, second] = [await sqlite.create(), await sqlite.create()];
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    for (const source of sources.splice(0)) if (source.isInitialized) await source.destroy();
    await first.drop();
    await second.drop();
  });

  const boot = async (
    { imports = [], providers = [] }: ModuleMetadata,
    options: Partial<AuthSettings> = {},
  ): Promise<DataSource | undefined> => {
    const auth = AuthModule.forRoot({
      secret: 'a secret of the tests: 32 bytes or more',
      issuer: 'issuer',
      audience: 'audience',
      migrations: 'run',
      ...options,
    });
    const module = await Test.createTestingModule({
      imports: [...imports, auth],
      providers,
    }).compile();
    app = module.createNestApplication({ logger: false });
    await app.init();
    const connection = app.get(LogConnection, { strict: false });
    await connection.open();
    return connection.application;
  };
  const open = async (database: TestDatabase, Class = DataSource): Promise<DataSource> => {
    const source = await new Class(database.options).initialize();
    sources.push(source);
    return source;
  };

  describe('is found without an option, with', () => {
    it('TypeOrmModule.forRoot()', async () => {
      const found = await boot({ imports: [TypeOrmModule.forRoot(first.options)] });
      expect(found?.options.database).toBe(first.options.database);
    });

    it('a name', async () => {
      const found = await boot({
        imports: [TypeOrmModule.forRoot({ ...first.options, name: 'shop' })],
      });
      expect(found?.options.database).toBe(first.options.database);
    });

    it('TypeOrmModule.forRootAsync()', async () => {
      const useFactory = (): object => first.options;
      const found = await boot({ imports: [TypeOrmModule.forRootAsync({ useFactory })] });
      expect(found?.options.database).toBe(first.options.database);
    });

    it('manualInitialization', async () => {
      const found = await boot({
        imports: [TypeOrmModule.forRoot({ ...first.options, manualInitialization: true })],
      });
      expect(found?.isInitialized).toBe(false);
    });

    it('an own provider with a string token', async () => {
      const useValue = await open(first);
      expect(await boot({ providers: [{ provide: 'DATABASE', useValue }] })).toBe(useValue);
    });

    it('an own class, and an alias of it', async () => {
      const useValue = await open(first, ShopDataSource);
      const providers = [
        { provide: ShopDataSource, useValue },
        { provide: DataSource, useExisting: ShopDataSource },
      ];
      expect(await boot({ providers })).toBe(useValue);
    });
  });

  describe('is named by the option dataSource:', () => {
    const both = (): ModuleMetadata => ({
      imports: [
        TypeOrmModule.forRoot(first.options),
        TypeOrmModule.forRoot({ ...second.options, name: 'shop' }),
      ],
    });

    it('a name', async () => {
      const found = await boot(both(), { dataSource: 'shop' });
      expect(found?.options.database).toBe(second.options.database);
    });

    it('the name default', async () => {
      const found = await boot(both(), { dataSource: 'default' });
      expect(found?.options.database).toBe(first.options.database);
    });

    it('a DataSource', async () => {
      const dataSource = await open(second);
      expect(await boot(both(), { dataSource })).toBe(dataSource);
    });

    it('options, in an application without TypeORM', async () => {
      expect(await boot({}, { dataSource: first.options })).toBeUndefined();
    });
  });

  describe('stops the boot with the candidates and the fix:', () => {
    const refusal = async (
      metadata: ModuleMetadata,
      options?: Partial<AuthSettings>,
    ): Promise<string> => {
      const error: unknown = await boot(metadata, options).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(AuthWiringError);
      return (error as Error).message;
    };

    it('two DataSources', async () => {
      const message = await refusal({
        imports: [
          TypeOrmModule.forRoot(first.options),
          TypeOrmModule.forRoot({ ...second.options, name: 'shop' }),
        ],
      });
      expect(message).toMatch(/more than one.*DataSource, shopDataSource/);
      expect(message).toContain("dataSource: 'name'");
    });

    it('two providers of which the last would silently win', async () => {
      const [one, other] = [await open(first), await open(second)];
      const module = {
        module: class Feature {},
        providers: [{ provide: DataSource, useValue: one }],
      };
      const message = await refusal({
        imports: [module],
        providers: [{ provide: DataSource, useValue: other }],
      });
      expect(message).toContain('more than one');
    });

    it('none', async () => {
      expect(await refusal({})).toMatch(/no DataSource was found\.\n.*TypeOrmModule\.forRoot/s);
    });

    it('a request-scoped provider', async () => {
      const provider = {
        provide: DataSource,
        scope: Scope.REQUEST,
        useFactory: () => new DataSource(first.options),
      };
      expect(await refusal({ providers: [provider] })).toContain('request-scoped');
    });

    it('a mock', async () => {
      const provider = { provide: DataSource, useValue: { query: () => [] } };
      expect(await refusal({ providers: [provider] })).toContain('a mock?');
    });

    it('a name that no DataSource has', async () => {
      const message = await refusal(
        { imports: [TypeOrmModule.forRoot({ ...first.options, name: 'shop' })] },
        { dataSource: 'shops' },
      );
      expect(message).toMatch(/"shops" was not found.*shopDataSource/);
    });
  });
});
