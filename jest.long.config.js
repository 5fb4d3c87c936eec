import config from './jest.config.js';

// Races and loads with their full number of rounds; `npm test` has fewer of them, in the same files.
process.env['LONG_RUN'] ??= '1';

/** `npm run test:long`: what `npm run test:all` adds to `npm test`. */
export default {
  ...config,
  testMatch: [
    '<rootDir>/test/{explorer,faults,releases,browser}/**/*.spec.js',
    '<rootDir>/test/cluster/promises/{p5-killed-while-logging-out,p9-one-successor,p11-free,same-second}.spec.js',
    '<rootDir>/test/cluster/{failures/herd,sessions/races,live/random-acts}.spec.js',
  ],
};
