/** Tests are compiled by tsc and run as plain ESM: what is tested is what ships. */
export default {
  rootDir: 'build',
  testMatch: ['<rootDir>/test/{unit,e2e,security,cluster}/**/*.spec.js'],
  testEnvironment: 'node',
  transform: {},
  moduleNameMapper: {
    '^nestjs-logout$': '<rootDir>/lib/index.js',
    '^nestjs-logout/testing$': '<rootDir>/lib/testing/index.js',
    '^nestjs-logout/terminus$': '<rootDir>/lib/terminus/index.js',
    '^nestjs-logout/prometheus$': '<rootDir>/lib/prometheus/index.js',
  },
  setupFiles: ['reflect-metadata'],
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
  testTimeout: 30_000,
  maxWorkers: 2,
};
