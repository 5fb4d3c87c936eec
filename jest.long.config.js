import config from './jest.config.js';

// Issue 3's claim about refresh tokens in full; `npm test` has a shorter run of the same file.
process.env['P9_ROUNDS'] ??= '100';

/** `npm run test:long`: what `npm run test:all` adds to `npm test`. */
export default {
  ...config,
  testMatch: [
    '<rootDir>/test/{explorer,faults,releases,browser}/**/*.spec.js',
    '<rootDir>/test/cluster/promises/p9-one-successor.spec.js',
  ],
};
