import { type DynamicModule, Module } from '@nestjs/common';
import { AuthMetrics } from './auth-metrics.service.js';
import { type AuthPrometheusOptions, PROMETHEUS_OPTIONS } from './auth-prometheus.options.js';

/**
 * Registers the metrics of this instance with `prom-client`. The application serves them with its own
 * metrics. A scrape does not query the database, and labels contain no user ids.
 *
 * `docs/runbook.md` lists the metrics and what to do at an alert. `docs/alerts.yml` has rules for Prometheus.
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
  /**
   * Registers the metrics. Import it once in each application.
   *
   * @throws AuthWiringError at boot if AuthModule is missing, or if the registry already has such a metric.
   */
  static forRoot(options: AuthPrometheusOptions = {}): DynamicModule {
    return {
      module: AuthPrometheusModule,
      providers: [{ provide: PROMETHEUS_OPTIONS, useValue: options }, AuthMetrics],
    };
  }
}
