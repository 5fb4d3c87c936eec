-- Adds to the tables of nestjs-logout 0.1 what 0.2 needs. Generated; see test/support/sql-files.ts.
-- MySQL and MariaDB: run it once, in the database of the log (USE …).
-- Run it once, before the first instance of 0.2 starts; instances of 0.1 go on beside it.

ALTER TABLE auth_session ADD COLUMN grant_id varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

ALTER TABLE auth_session ADD COLUMN tenant varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

ALTER TABLE auth_session ADD COLUMN auth_time bigint;

ALTER TABLE auth_session ADD COLUMN jkt varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

ALTER TABLE auth_session ADD COLUMN network binary(16);

ALTER TABLE auth_session ADD COLUMN persistent smallint;

ALTER TABLE auth_session ADD COLUMN retries_until bigint;

ALTER TABLE auth_session ADD COLUMN access_ttl bigint;

ALTER TABLE auth_session ADD COLUMN refresh_ttl bigint;

ALTER TABLE auth_session ADD COLUMN idle_ttl bigint;

ALTER TABLE auth_refresh ADD COLUMN retry_digest binary(32);

ALTER TABLE auth_refresh ADD COLUMN retry_sealed varbinary(64);

ALTER TABLE auth_event ADD INDEX auth_event_key (event_key);

ALTER TABLE auth_session ADD INDEX auth_session_open (subject_key, ended_at, created_at, session_key);

ALTER TABLE auth_pending ADD INDEX auth_pending_key (event_key);

ALTER TABLE auth_session ADD INDEX auth_session_grant (grant_id);

CREATE TABLE IF NOT EXISTS auth_api_token (
  token_digest binary(32) NOT NULL,
  token_key binary(16) NOT NULL,
  token_id varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  subject_key binary(16) NOT NULL,
  subject varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  gen bigint NOT NULL,
  sid varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  token_name varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  scope text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  claims text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  created_at bigint NOT NULL,
  last_used_at bigint,
  expires_at bigint NOT NULL,
  ended_at bigint,
  end_reason varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  PRIMARY KEY (token_digest)
) ENGINE = InnoDB;

ALTER TABLE auth_api_token ADD UNIQUE INDEX auth_api_token_key (token_key);

ALTER TABLE auth_api_token ADD INDEX auth_api_token_subject (subject_key, created_at, token_key);

ALTER TABLE auth_api_token ADD INDEX auth_api_token_expires (expires_at);

ALTER TABLE auth_api_token ADD INDEX auth_api_token_ended (ended_at);
