import type { SeenInstance } from '../database/instance.statements.js';
import { spanText } from './wording.js';

/** Instances renew their rows once a minute; one that missed three of these is taken for gone (ms). */
export const SEEN_WITHIN = 180_000;

/** Whether an instance is running, as far as its row tells. */
export function isRunning({ seenAgo }: SeenInstance): boolean {
  return seenAgo < SEEN_WITHIN;
}

/** `host:pid (seen 20 s ago), …` */
export function namesOf(instances: readonly SeenInstance[]): string {
  return instances
    .map(({ label, seenAgo }) => `${label} (seen ${spanText(seenAgo)} ago)`)
    .join(', ');
}
