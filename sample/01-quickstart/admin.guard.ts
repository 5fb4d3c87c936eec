import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthException, type TokenClaims } from 'nestjs-logout';

/** Accepts the admin only. It runs after JwtAuthGuard, which sets the claims. */
@Injectable()
export class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { user } = context.switchToHttp().getRequest<{ user?: TokenClaims }>();
    if (user?.['role'] === 'admin') return true;
    throw new AuthException(403, 'forbidden', 'Only the admin may do this.');
  }
}
