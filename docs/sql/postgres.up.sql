-- The tables of nestjs-logout. Generated; see test/support/sql-files.ts.
-- PostgreSQL: run it with a search_path that begins with the schema of the log.

CREATE TABLE IF NOT EXISTS auth_log (
  id smallint NOT NULL,
  log_id varchar(255) NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS auth_head (
  id smallint NOT NULL,
  position bigint NOT NULL,
  last_event_id bytea,
  purged_through bigint NOT NULL,
  server varchar(255),
  format bigint NOT NULL,
  max_staleness bigint NOT NULL,
  max_staleness_by varchar(255),
  max_token_life bigint NOT NULL,
  max_token_life_by varchar(255),
  purge_claimed_until bigint NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS auth_event (
  position bigint NOT NULL,
  event_id bytea NOT NULL,
  kind varchar(255) NOT NULL,
  event_key bytea NOT NULL,
  kills_below bigint,
  except_key bytea,
  access_only smallint NOT NULL,
  issued_before bigint,
  keep_until bigint,
  reason varchar(255) NOT NULL,
  actor varchar(255),
  created_at bigint NOT NULL,
  PRIMARY KEY (position)
);

CREATE TABLE IF NOT EXISTS auth_pending (
  event_id bytea NOT NULL,
  kind varchar(255) NOT NULL,
  event_key bytea NOT NULL,
  except_key bytea,
  access_only smallint NOT NULL,
  expires_at bigint,
  life bigint,
  skew bigint NOT NULL,
  reason varchar(255) NOT NULL,
  actor varchar(255),
  PRIMARY KEY (event_id)
);

CREATE TABLE IF NOT EXISTS auth_subject (
  subject_key bytea NOT NULL,
  kills_below bigint NOT NULL,
  reason varchar(255) NOT NULL,
  except_key bytea,
  spared_below bigint NOT NULL,
  spared_reason varchar(255) NOT NULL,
  marked_at bigint NOT NULL,
  locked_until bigint,
  disabled_at bigint,
  PRIMARY KEY (subject_key)
);

CREATE TABLE IF NOT EXISTS auth_session (
  session_key bytea NOT NULL,
  sid varchar(255) NOT NULL,
  subject_key bytea NOT NULL,
  subject varchar(255) NOT NULL,
  gen bigint NOT NULL,
  kid varchar(255) NOT NULL,
  client varchar(255),
  device varchar(255),
  ip varchar(255),
  user_agent varchar(255),
  delivery varchar(255) NOT NULL,
  created_at bigint NOT NULL,
  last_seen_at bigint NOT NULL,
  idle_until bigint NOT NULL,
  expires_at bigint NOT NULL,
  ended_at bigint,
  end_reason varchar(255),
  PRIMARY KEY (session_key)
);

CREATE TABLE IF NOT EXISTS auth_refresh (
  token_digest bytea NOT NULL,
  session_key bytea NOT NULL,
  number bigint NOT NULL,
  expires_at bigint NOT NULL,
  replaced_at bigint,
  grace_until bigint,
  retries bigint NOT NULL,
  sealed_successor bytea,
  PRIMARY KEY (token_digest)
);

CREATE UNIQUE INDEX IF NOT EXISTS auth_event_id ON auth_event (event_id);

CREATE INDEX IF NOT EXISTS auth_event_keep_until ON auth_event (keep_until);

CREATE INDEX IF NOT EXISTS auth_subject_marked ON auth_subject (marked_at);

CREATE INDEX IF NOT EXISTS auth_session_kid ON auth_session (kid);

CREATE INDEX IF NOT EXISTS auth_session_subject ON auth_session (subject_key);

CREATE INDEX IF NOT EXISTS auth_session_idle ON auth_session (idle_until);

CREATE INDEX IF NOT EXISTS auth_session_ended ON auth_session (ended_at);

CREATE INDEX IF NOT EXISTS auth_refresh_session ON auth_refresh (session_key);

CREATE INDEX IF NOT EXISTS auth_refresh_grace ON auth_refresh (grace_until);

CREATE INDEX IF NOT EXISTS auth_refresh_expires ON auth_refresh (expires_at);

INSERT INTO auth_log (id, log_id, created_at)
  SELECT 1, gen_random_uuid()::text, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_log);

INSERT INTO auth_head (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until)
  SELECT 1, 0, 0, 1, 0, 0, 0 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_head);

CREATE TABLE IF NOT EXISTS auth_instance (
  instance_id bytea NOT NULL,
  label varchar(255) NOT NULL,
  issuer varchar(255) NOT NULL,
  max_staleness bigint NOT NULL,
  max_token_life bigint NOT NULL,
  release_name varchar(255) NOT NULL,
  format bigint NOT NULL,
  seen_at bigint NOT NULL,
  clock_ahead bigint NOT NULL,
  PRIMARY KEY (instance_id)
);

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS grant_id varchar(255);

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS tenant varchar(255);

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS auth_time bigint;

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS jkt varchar(255);

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS network bytea;

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS persistent smallint;

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS retries_until bigint;

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS access_ttl bigint;

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS refresh_ttl bigint;

ALTER TABLE auth_session ADD COLUMN IF NOT EXISTS idle_ttl bigint;

ALTER TABLE auth_refresh ADD COLUMN IF NOT EXISTS retry_digest bytea;

ALTER TABLE auth_refresh ADD COLUMN IF NOT EXISTS retry_sealed bytea;

CREATE INDEX IF NOT EXISTS auth_event_key ON auth_event (event_key);

CREATE INDEX IF NOT EXISTS auth_session_open ON auth_session (subject_key, ended_at, created_at, session_key);

CREATE INDEX IF NOT EXISTS auth_pending_key ON auth_pending (event_key);

CREATE INDEX IF NOT EXISTS auth_session_grant ON auth_session (grant_id);

CREATE TABLE IF NOT EXISTS auth_api_token (
  token_digest bytea NOT NULL,
  token_key bytea NOT NULL,
  token_id varchar(255) NOT NULL,
  subject_key bytea NOT NULL,
  subject varchar(255) NOT NULL,
  gen bigint NOT NULL,
  sid varchar(255),
  token_name varchar(255) NOT NULL,
  scope text,
  claims text,
  created_at bigint NOT NULL,
  last_used_at bigint,
  expires_at bigint NOT NULL,
  ended_at bigint,
  end_reason varchar(255),
  PRIMARY KEY (token_digest)
);

CREATE UNIQUE INDEX IF NOT EXISTS auth_api_token_key ON auth_api_token (token_key);

CREATE INDEX IF NOT EXISTS auth_api_token_subject ON auth_api_token (subject_key, created_at, token_key);

CREATE INDEX IF NOT EXISTS auth_api_token_expires ON auth_api_token (expires_at);

CREATE INDEX IF NOT EXISTS auth_api_token_ended ON auth_api_token (ended_at);

-- What the role of the application needs, and no more (here it is called app):
-- GRANT SELECT ON auth_log TO app;
-- GRANT SELECT, UPDATE ON auth_head TO app;
-- GRANT SELECT, INSERT, DELETE, UPDATE (event_id) ON auth_event TO app;
-- GRANT SELECT, INSERT, DELETE ON auth_pending TO app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_subject TO app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_session TO app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_refresh TO app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_instance TO app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON auth_api_token TO app;
