export { natsHint, type NatsHintOptions } from './nats.hint.js';
