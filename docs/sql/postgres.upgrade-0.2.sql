-- Adds to the tables of nestjs-logout 0.1 what 0.2 needs. Generated; see test/support/sql-files.ts.
-- PostgreSQL: run it with a search_path that begins with the schema of the log.
-- Run it once, before the first instance of 0.2 starts; instances of 0.1 go on beside it.

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
