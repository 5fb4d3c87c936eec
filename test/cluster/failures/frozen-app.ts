import 'reflect-metadata';
import { startWatched } from '../../support/watched-app.js';

/** A process that a test freezes; half the bound, a poll's limit, is longer than its wait. */
const { app } = await startWatched(
  'express',
  { type: 'postgres', url: process.env['DATABASE_URL'] ?? '' },
  { options: { maxStaleness: '5s', staleWait: '2s' } },
);
console.log(`nestjs-logout quick-start: ${await app.getUrl()}`);
