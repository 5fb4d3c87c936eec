-- Removes the tables of nestjs-logout. Generated; see test/support/sql-files.ts.
-- Every token that was logged out and has not expired is accepted again.

DROP TABLE IF EXISTS auth_api_token;

DROP TABLE IF EXISTS auth_instance;

DROP TABLE IF EXISTS auth_refresh;

DROP TABLE IF EXISTS auth_session;

DROP TABLE IF EXISTS auth_subject;

DROP TABLE IF EXISTS auth_pending;

DROP TABLE IF EXISTS auth_event;

DROP TABLE IF EXISTS auth_head;

DROP TABLE IF EXISTS auth_log;
