export { TestClock } from './test-clock.js';
export { issueTestToken } from './issue-test-token.js';
export { overrideAuth } from './override-auth.js';
export type { TestUser } from './test-user.js';
