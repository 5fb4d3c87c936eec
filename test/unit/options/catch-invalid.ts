import { expect } from '@jest/globals';
import { InvalidAuthOptionsError } from '../../../lib/errors/auth-wiring.error.js';
import * as sample from './key-samples.js';

/** Runs what must fail, and returns the error that lists the problems. */
export function catchInvalid(act: () => unknown): InvalidAuthOptionsError {
  try {
    act();
  } catch (error) {
    if (error instanceof InvalidAuthOptionsError) return error;
    throw error;
  }
  throw new Error('these options were accepted');
}

const MATERIAL = [
  sample.secret,
  sample.otherSecret,
  sample.publicDer.toString('base64'),
  sample.publicJwk.x ?? '',
  ...[sample.privatePem, sample.publicPem, sample.encryptedPem].map((pem) => body(pem)),
];

/** Fails if any 12 characters in a row of any key or secret of the tables are in the text. */
export function expectNoSecret(message: string): void {
  for (const text of MATERIAL) {
    for (let start = 0; start + 12 <= text.length; start += 4) {
      if (message.includes(text.slice(start, start + 12)))
        expect(message).not.toContain(text.slice(start, start + 12));
    }
  }
}

function body(pem: string): string {
  return pem.split('\n').slice(1, -2).join('\n');
}
