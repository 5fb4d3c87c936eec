export { AuthPrometheusModule } from './auth-prometheus.module.js';
export type { AuthPrometheusOptions } from './auth-prometheus.options.js';
