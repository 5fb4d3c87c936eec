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
    // Picked one by one: this is public, and must not show who set an override.
    const { ready, fresh, staleness, position, entries, hint } = this.revocation.status();
    const known = { staleness, position, entries, hint };
    if (!ready) throw new ServiceUnavailableException({ status: 'loading', ...known });
    return { status: fresh ? 'ok' : 'stale', ...known };
  }
}
