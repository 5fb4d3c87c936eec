/** Tests are compiled by tsc and run as plain ESM: what is tested is what ships. */
export default {
  rootDir: 'build',
  testMatch: ['<rootDir>/test/{unit,e2e,security,cluster,transports}/**/*.spec.js'],
  testEnvironment: 'node',
  transform: {},
  moduleNameMapper: {
    '^nestjs-logout$': '<rootDir>/lib/index.js',
    '^nestjs-logout/(testing|terminus|prometheus|postgres|redis|nats)$':
      '<rootDir>/lib/$1/index.js',
    // @fastify/static, which Mercurius requires, has one that is ESM: Jest cannot require that before Node 24.9.
    '^content-disposition$': '<rootDir>/../node_modules/content-disposition',
  },
  setupFiles: ['reflect-metadata'],
  testSequencer: '<rootDir>/test/support/longest-first.js',
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
  // Far above what any test takes on an idle machine: with all cores busy, one takes ten times as long.
  testTimeout: 180_000,
  // On two cores: a third of the time is spent waiting for what a database or a process does.
  maxWorkers: 3,
  // A worker keeps the modules of all files that it has run: at 2 GB it does little but collect garbage.
  // 100 MB of it are room for what is young, which npm test gives it: it collects less often.
  workerIdleMemoryLimit: '700MB',
};
