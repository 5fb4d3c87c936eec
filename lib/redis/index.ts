export { redisHint, type RedisHintOptions } from './redis.hint.js';
