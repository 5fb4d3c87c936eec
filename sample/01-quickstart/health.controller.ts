import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { RevocationService } from 'nestjs-logout';

@Controller('health')
export class HealthController {
  constructor(private readonly revocation: RevocationService) {}

  /**
   * Red only until the first load: a database that is away for a moment must not drain every instance
   * from the load balancer at once.
   */
  @Get()
  health(): object {
    const { ready, fresh, ...rest } = this.revocation.status();
    if (!ready) throw new ServiceUnavailableException({ status: 'loading', ...rest });
    return { status: fresh ? 'ok' : 'stale', ...rest };
  }
}
