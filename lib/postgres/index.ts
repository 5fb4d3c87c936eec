export { postgresHint, type PostgresHintOptions } from './postgres.hint.js';
