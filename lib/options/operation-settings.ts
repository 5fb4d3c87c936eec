import type { RevocationHint } from '../revocation/feed/revocation-hint.js';
import { SessionSettings } from './session-settings.js';

/**
 * The options of operating many instances; **the property initialisers are the defaults**.
 *
 * @publicApi
 */
export class OperationSettings extends SessionSettings {
  /**
   * Tells the other instances of a logout at once, typically within a few milliseconds:
   * `postgresHint()`, `redisHint({ url })`, `natsHint({ servers })`, each from its own sub-path, or a
   * {@link RevocationHint} of your own.
   *
   * Only speed: what a hint loses arrives with the next poll, within `maxStaleness`.
   *
   * @default none; instances learn by polling, typically after an eighth of `maxStaleness`
   */
  hint?: RevocationHint | undefined;
}
