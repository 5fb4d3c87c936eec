-- The tables of nestjs-logout. Generated; see test/support/sql-files.ts.
-- MySQL and MariaDB: run it once, in the database of the log (USE …).

CREATE TABLE IF NOT EXISTS auth_log (
  id smallint NOT NULL,
  log_id varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS auth_head (
  id smallint NOT NULL,
  position bigint NOT NULL,
  last_event_id binary(16),
  purged_through bigint NOT NULL,
  server varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  format bigint NOT NULL,
  max_staleness bigint NOT NULL,
  max_staleness_by varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  max_token_life bigint NOT NULL,
  max_token_life_by varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  purge_claimed_until bigint NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS auth_event (
  position bigint NOT NULL,
  event_id binary(16) NOT NULL,
  kind varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  event_key binary(16) NOT NULL,
  kills_below bigint,
  except_key binary(16),
  access_only smallint NOT NULL,
  issued_before bigint,
  keep_until bigint,
  reason varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  actor varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  created_at bigint NOT NULL,
  PRIMARY KEY (position)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS auth_pending (
  event_id binary(16) NOT NULL,
  kind varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  event_key binary(16) NOT NULL,
  except_key binary(16),
  access_only smallint NOT NULL,
  expires_at bigint,
  life bigint,
  skew bigint NOT NULL,
  reason varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  actor varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  PRIMARY KEY (event_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS auth_subject (
  subject_key binary(16) NOT NULL,
  kills_below bigint NOT NULL,
  reason varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  except_key binary(16),
  spared_below bigint NOT NULL,
  spared_reason varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  marked_at bigint NOT NULL,
  locked_until bigint,
  disabled_at bigint,
  PRIMARY KEY (subject_key)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS auth_session (
  session_key binary(16) NOT NULL,
  sid varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  subject_key binary(16) NOT NULL,
  subject varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  gen bigint NOT NULL,
  kid varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  client varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  device varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  ip varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  user_agent varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  delivery varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at bigint NOT NULL,
  last_seen_at bigint NOT NULL,
  idle_until bigint NOT NULL,
  expires_at bigint NOT NULL,
  ended_at bigint,
  end_reason varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  PRIMARY KEY (session_key)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS auth_refresh (
  token_digest binary(32) NOT NULL,
  session_key binary(16) NOT NULL,
  number bigint NOT NULL,
  expires_at bigint NOT NULL,
  replaced_at bigint,
  grace_until bigint,
  retries bigint NOT NULL,
  sealed_successor varbinary(64),
  PRIMARY KEY (token_digest)
) ENGINE = InnoDB;

ALTER TABLE auth_event ADD UNIQUE INDEX auth_event_id (event_id);

ALTER TABLE auth_event ADD INDEX auth_event_keep_until (keep_until);

ALTER TABLE auth_subject ADD INDEX auth_subject_marked (marked_at);

ALTER TABLE auth_session ADD INDEX auth_session_kid (kid);

ALTER TABLE auth_session ADD INDEX auth_session_subject (subject_key);

ALTER TABLE auth_session ADD INDEX auth_session_idle (idle_until);

ALTER TABLE auth_session ADD INDEX auth_session_ended (ended_at);

ALTER TABLE auth_refresh ADD INDEX auth_refresh_session (session_key);

ALTER TABLE auth_refresh ADD INDEX auth_refresh_grace (grace_until);

ALTER TABLE auth_refresh ADD INDEX auth_refresh_expires (expires_at);

INSERT INTO auth_log (id, log_id, created_at)
  SELECT 1, UUID(), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_log);

INSERT INTO auth_head (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until)
  SELECT 1, 0, 0, 1, 0, 0, 0 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_head);

CREATE TABLE IF NOT EXISTS auth_instance (
  instance_id binary(16) NOT NULL,
  label varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  issuer varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  max_staleness bigint NOT NULL,
  max_token_life bigint NOT NULL,
  release_name varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  format bigint NOT NULL,
  seen_at bigint NOT NULL,
  clock_ahead bigint NOT NULL,
  PRIMARY KEY (instance_id)
) ENGINE = InnoDB;

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

-- What the role of the application needs, and no more (here it is called app):
-- GRANT SELECT ON auth_log TO 'app'@'%';
-- GRANT SELECT, UPDATE ON auth_head TO 'app'@'%';
-- GRANT SELECT, INSERT, DELETE ON auth_event TO 'app'@'%';
-- GRANT SELECT, INSERT, DELETE ON auth_pending TO 'app'@'%';
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_subject TO 'app'@'%';
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_session TO 'app'@'%';
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_refresh TO 'app'@'%';
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_instance TO 'app'@'%';
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_api_token TO 'app'@'%';
