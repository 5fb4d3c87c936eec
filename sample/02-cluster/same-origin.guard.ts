import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

/**
 * The buttons kill processes: only this page may press them. Other sites can send requests here too
 * (with another origin), and can point their own name at this address (then the host is not ours).
 */
@Injectable()
export class SameOriginGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers, method } = context.switchToHttp().getRequest<IncomingMessage>();
    const { host = '', origin } = headers;
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) return false;
    return method === 'GET' || origin === `http://${host}`;
  }
}
