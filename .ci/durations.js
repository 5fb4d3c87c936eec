// Writes test/durations.json, by which the longest files start first, from the results of a run:
// node .ci/durations.js build/results/jest.json
import { readFileSync, writeFileSync } from 'node:fs';

const SHORT = 5; // seconds; what takes less need not be listed

const [file = 'build/results/jest.json'] = process.argv.slice(2);
const { testResults } = JSON.parse(readFileSync(file, 'utf8'));
const durations = testResults
  .map(({ name, startTime, endTime }) => [
    /build\/test\/(.*)\.spec\.js$/.exec(name)[1],
    Math.round((endTime - startTime) / 1000),
  ])
  .filter(([, seconds]) => seconds > SHORT)
  .toSorted(([a], [b]) => a.localeCompare(b));
writeFileSync('test/durations.json', `${JSON.stringify(Object.fromEntries(durations), null, 2)}\n`);
