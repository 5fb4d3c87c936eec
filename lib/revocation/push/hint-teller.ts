import type { HintState } from '../../options/revocation-hint.js';

/** Who tells other instances, as far as the feed needs him. */
export interface HintTeller {
  readonly state: HintState;
  /** Starts to listen; called at the first proof. */
  start(): void;
  /** This instance has committed events up to here. */
  tell(position: number): void;
}
