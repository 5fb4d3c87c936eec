import config from './jest.config.js';

// What goes wrong by chance only, as often as is claimed; `npm test` has fewer rounds of the same files.
process.env['LONG_RUN'] ??= '1';

/** `npm run test:long`: what `npm run test:all` adds to `npm test`. */
export default {
  ...config,
  testMatch: [
    '<rootDir>/test/{explorer,faults,releases,browser}/**/*.spec.js',
    '<rootDir>/test/cluster/promises/{p5-killed-while-logging-out,p9-one-successor,same-second}.spec.js',
    '<rootDir>/test/cluster/sessions/races.spec.js',
  ],
};
