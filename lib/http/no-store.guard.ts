import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { setResponseHeaders } from '../platform/execution-context.js';

/** Lets everybody pass, and sets the header that refusals need as much as answers. */
@Injectable()
export class NoStoreGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    setResponseHeaders(context, { 'Cache-Control': 'no-store' });
    return true;
  }
}
