import type { OpenMetricsContentType, PrometheusContentType, Registry } from 'prom-client';

/** Where {@link AuthPrometheusModule} puts its metrics, and how it names them. */
export interface AuthPrometheusOptions {
  /** The application's own registry. Default: the one that prom-client keeps for the process. */
  readonly registry?:
    Registry<PrometheusContentType> | Registry<OpenMetricsContentType> | undefined;
  /**
   * The start of every name. Default `'nestjs_logout_'`, which `docs/alerts.yml` expects. Give another one
   * where several applications of one process share a registry.
   */
  readonly prefix?: string | undefined;
}

/** The options of the module, by injection. */
export const PROMETHEUS_OPTIONS = Symbol('AuthPrometheusOptions');
