import type { OpenMetricsContentType, PrometheusContentType, Registry } from 'prom-client';

/**
 * The options of {@link AuthPrometheusModule.forRoot}: the registry and the names of the metrics.
 *
 * @publicApi
 */
export interface AuthPrometheusOptions {
  /**
   * The registry of the application.
   *
   * @default the global registry of prom-client
   */
  readonly registry?:
    Registry<PrometheusContentType> | Registry<OpenMetricsContentType> | undefined;
  /**
   * The prefix of every metric. `docs/alerts.yml` expects the default. Set another one if several
   * applications of one process share a registry.
   *
   * @default 'nestjs_logout_'
   */
  readonly prefix?: string | undefined;
}

/** The injection token of {@link AuthPrometheusOptions}. */
export const PROMETHEUS_OPTIONS = Symbol('AuthPrometheusOptions');
