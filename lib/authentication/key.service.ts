import { Injectable, Logger } from '@nestjs/common';
import { logText } from '../platform/log-text.js';
import { KeyRing } from './key-ring.service.js';

/**
 * Rotates the signing keys of the running application.
 *
 * It concerns this instance alone: call it on each one. To end the tokens of a key that has leaked,
 * everywhere and at once, use `LogoutService.revokeKey(kid)`.
 *
 * @example
 * ```ts
 * process.on('SIGHUP', () => void this.keys.reload());
 * ```
 * @publicApi
 */
@Injectable()
export class KeyService {
  private readonly logger = new Logger(KeyService.name);

  private reloading: Promise<void> | undefined;

  constructor(private readonly ring: KeyRing) {}

  /**
   * Asks the application for its keys again (option `keys` as a function). Keys that are no longer
   * given sign nothing more and verify until the last token that they can have signed has expired.
   *
   * @throws the error of the option's check; then the keys stay as they were.
   */
  async reload(): Promise<void> {
    // One after the other, so that the answer that was asked for last is the one that stays.
    const before = this.reloading;
    this.reloading = (async () => {
      await before?.catch(() => undefined);
      await this.ring.reload();
    })();
    await this.reloading;
    this.logger.log('The signing keys have been read again.');
  }

  /**
   * Takes a key out of use until the process ends: it signs nothing more, and verifies until the last
   * token that it can have signed has expired.
   *
   * @throws AuthWiringError when no key has this kid.
   */
  async retire(kid: string): Promise<void> {
    this.ring.retire(kid);
    this.logger.log(`The key "${logText(kid)}" no longer signs.`);
  }
}
