import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type DynamicModule,
  Global,
  Injectable,
  Module,
  type ModuleMetadata,
} from '@nestjs/common';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from 'nestjs-logout';

const THEIRS = 'the secret of the application’s own JwtModule';
const OURS = {
  secret: 'the secret of AuthModule, at least 32 bytes',
  issuer: 'https://issuer.test',
  audience: 'api',
  migrations: 'run',
} as const;

@Injectable()
class Links {
  constructor(private readonly jwt: JwtService) {}

  /** Which JwtService was injected, by the key it signs with. */
  isSignedByTheirs(): boolean {
    const token = this.jwt.sign({ sub: 'alice' });
    try {
      new JwtService({ secret: THEIRS }).verify(token);
      return true;
    } catch {
      return false;
    }
  }
}

/** The same in another module, so that each can be found. */
@Injectable()
class RootLinks extends Links {}

let running: TestingModule | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function boot(metadata: ModuleMetadata): Promise<TestingModule> {
  const database = TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' });
  running = await Test.createTestingModule({
    ...metadata,
    imports: [database, ...(metadata.imports ?? [])],
  }).compile();
  return running.init();
}

async function injectsTheirs(imports: ModuleMetadata['imports']): Promise<boolean> {
  const app = await boot({ imports: imports ?? [], providers: [Links] });
  return app.get(Links).isSignedByTheirs();
}

const theirs = (): DynamicModule => JwtModule.register({ secret: THEIRS });
const theirsGlobally = (): DynamicModule => JwtModule.register({ secret: THEIRS, global: true });

@Module({ imports: [theirs()], exports: [JwtModule] })
class SharedModule {}

@Global()
@Module({ imports: [theirs()], exports: [JwtModule] })
class GlobalSharedModule {}

const auth = {
  forRoot: (more: object = {}) => AuthModule.forRoot({ ...OURS, ...more }),
  'forRootAsync, not global': (more: object = {}) =>
    AuthModule.forRootAsync({ isGlobal: false, useFactory: () => OURS, ...more }),
};

describe.each(Object.entries(auth))('which JwtService a module gets, with %s', (_, ours) => {
  it('a module that imports no JwtModule gets our JwtService', async () => {
    expect(await injectsTheirs([ours()])).toBe(false);
  });

  it.each([
    ['after AuthModule', () => [ours(), theirs()]],
    ['before AuthModule', () => [theirs(), ours()]],
    ['by way of another module, after AuthModule', () => [ours(), SharedModule]],
    ['by way of another module, before AuthModule', () => [SharedModule, ours()]],
  ])('a module gets its own JwtService if it imports a JwtModule %s', async (_order, imports) => {
    expect(await injectsTheirs(imports())).toBe(true);
  });

  it('a feature module gets its own JwtService, and ours is beside it', async () => {
    @Module({ imports: [theirs()], providers: [Links] })
    class FeatureModule {}
    const app = await boot({ imports: [ours(), FeatureModule], providers: [RootLinks] });
    expect(app.get(Links).isSignedByTheirs()).toBe(true);
    expect(app.get(RootLinks).isSignedByTheirs()).toBe(false);
  });

  it.each([
    ['JwtModule', () => [ours(), theirsGlobally()]],
    ['JwtModule', () => [theirsGlobally(), ours()]],
    ['GlobalSharedModule', () => [ours(), GlobalSharedModule]],
    ['GlobalSharedModule', () => [GlobalSharedModule, ours()]],
  ])('the boot stops if %s and AuthModule are both global', async (name, imports) => {
    await expect(injectsTheirs(imports())).rejects.toThrow(
      new RegExp(`${name} and AuthModule[^]*exportJwtService: false`),
    );
  });

  it.each([
    ['JwtModule', () => [ours({ exportJwtService: false }), theirsGlobally()]],
    ['JwtModule', () => [theirsGlobally(), ours({ exportJwtService: false })]],
    ['GlobalSharedModule', () => [ours({ exportJwtService: false }), GlobalSharedModule]],
  ])(
    'with exportJwtService false a module gets the JwtService of the global %s',
    async (_name, imports) => {
      expect(await injectsTheirs(imports())).toBe(true);
    },
  );

  it('with exportJwtService false and no JwtModule, JwtService is missing', async () => {
    await expect(injectsTheirs([ours({ exportJwtService: false })])).rejects.toThrow(/JwtService/);
  });
});

describe('exportJwtService', () => {
  it('exportJwtService returned by a factory is an error that says where it belongs', async () => {
    const useFactory = (): typeof OURS => ({ ...OURS, exportJwtService: false }) as typeof OURS;
    await expect(boot({ imports: [AuthModule.forRootAsync({ useFactory })] })).rejects.toThrow(
      /exportJwtService[^]*beside useFactory/,
    );
  });
});
