export { AuthHealthIndicator, type ReadinessOptions } from './auth.health-indicator.js';
