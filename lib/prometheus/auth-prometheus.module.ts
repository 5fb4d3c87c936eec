import { type DynamicModule, Module } from '@nestjs/common';
import { AuthMetrics } from './auth-metrics.service.js';
import { type AuthPrometheusOptions, PROMETHEUS_OPTIONS } from './auth-prometheus.options.js';

/**
 * Registers what this instance knows and counts as metrics of `prom-client`. The application serves
 * them beside its own. A scrape reads nothing from the database, and no label has an id of a user.
 *
 * The metrics, and what to do at an alert, are in `docs/runbook.md`; rules for Prometheus in
 * `docs/alerts.yml`.
 *
 * @example
 * ```ts
 * import { register } from 'prom-client';
 *
 * @Controller('metrics')
 * export class MetricsController {
 *   @Get() @Header('content-type', register.contentType)
 *   metrics() {
 *     return register.metrics();
 *   }
 * }
 *
 * @Module({
 *   imports: [AuthModule.forRoot(options), AuthPrometheusModule.forRoot()],
 *   controllers: [MetricsController],
 * })
 * export class AppModule {}
 * ```
 * @publicApi
 */
@Module({})
export class AuthPrometheusModule {
  /** @throws AuthWiringError at boot without AuthModule, or when a name is taken in the registry. */
  static forRoot(options: AuthPrometheusOptions = {}): DynamicModule {
    return {
      module: AuthPrometheusModule,
      providers: [{ provide: PROMETHEUS_OPTIONS, useValue: options }, AuthMetrics],
    };
  }
}
