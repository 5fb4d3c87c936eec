import { Logger } from '@nestjs/common';
import { logText } from '../platform/log-text.js';
import type { Verdict } from './verdict.js';

/** Issuers are registered, so there are few; whatever else comes is one. */
const MOST_ISSUERS = 100;

const PASS_IT =
  'Pass the kid of the key that verified the token: assertActive(claims, { kid: kidOf(token) }), or getKid() of a RevocationGuard.';

/** Says, once for each issuer, that decisions are asked for without the kid of the token's key. */
export class MissingKids {
  private readonly logger = new Logger('RevocationService');
  private readonly warned = new Set<string>();
  private readonly refused = new Set<string>();

  /** @param verdict - What was decided about a token of this issuer without a kid. */
  note(issuer: unknown, verdict: Verdict): void {
    const isRefused = verdict.state === 'revoked' && verdict.kind === 'key';
    const known = isRefused ? this.refused : this.warned;
    const name = String(issuer);
    if (known.has(name) || known.size >= MOST_ISSUERS) return;
    known.add(name);
    const shown = logText(name);
    if (isRefused) {
      this.logger.error(
        `Tokens of the issuer "${shown}" are refused with key_revoked: a key was revoked, and nothing says which key signed them. ` +
          `${PASS_IT} The option acceptWithoutKid: ['${shown}'] accepts them all, those of the revoked key too.`,
      );
    } else {
      this.logger.warn(
        `A token of the issuer "${shown}" was judged without a kid. Once a key is revoked, such tokens are refused. ${PASS_IT}`,
      );
    }
  }
}
