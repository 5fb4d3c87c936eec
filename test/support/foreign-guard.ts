import { Injectable } from '@nestjs/common';
import { RevocationGuard, type VerifiedClaims } from 'nestjs-logout';
import { claimsIn } from './log-tables.js';
import { mintToken } from './mint-token.js';

/** A RevocationGuard behind another library, which authenticated the request with an old login. */
@Injectable()
export class ForeignGuard extends RevocationGuard {
  protected override getClaims(): VerifiedClaims {
    return { ...claimsIn(mintToken()), auth_time: 0 } as VerifiedClaims;
  }

  protected override getKid(): string {
    return 'another';
  }
}
