// Writes test/durations.json from the results of runs. The longest test files then start first:
// node .ci/durations.js build/results/jest.json build/results/long.json
import { readFileSync, writeFileSync } from 'node:fs';

const SHORT = 5; // seconds; shorter files are not listed

const given = process.argv.slice(2);
const files = given.length > 0 ? given : ['build/results/jest.json', 'build/results/long.json'];
const durations = {};
for (const file of files) {
  for (const { name, startTime, endTime } of JSON.parse(readFileSync(file, 'utf8')).testResults) {
    const spec = /build\/test\/(.*)\.spec\.js$/.exec(name)[1];
    const seconds = Math.round((endTime - startTime) / 1000);
    // `npm run test:long` has some files of `npm test` with more rounds.
    if (seconds > SHORT) durations[spec] = Math.max(seconds, durations[spec] ?? 0);
  }
}
const sorted = Object.entries(durations).toSorted(([a], [b]) => a.localeCompare(b));
writeFileSync('test/durations.json', `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
