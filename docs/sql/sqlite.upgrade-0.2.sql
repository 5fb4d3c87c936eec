-- Adds to the tables of nestjs-logout 0.1 what 0.2 needs. Generated; see test/support/sql-files.ts.
-- SQLite: run it on the file of the application.
-- Run it once, before the first instance of 0.2 starts; instances of 0.1 go on beside it.

ALTER TABLE auth_session ADD COLUMN grant_id text;

ALTER TABLE auth_session ADD COLUMN tenant text;

ALTER TABLE auth_session ADD COLUMN auth_time integer;

ALTER TABLE auth_session ADD COLUMN jkt text;

ALTER TABLE auth_session ADD COLUMN network blob;

ALTER TABLE auth_session ADD COLUMN persistent integer;

ALTER TABLE auth_session ADD COLUMN retries_until integer;

ALTER TABLE auth_session ADD COLUMN access_ttl integer;

ALTER TABLE auth_session ADD COLUMN refresh_ttl integer;

ALTER TABLE auth_session ADD COLUMN idle_ttl integer;

ALTER TABLE auth_refresh ADD COLUMN retry_digest blob;

ALTER TABLE auth_refresh ADD COLUMN retry_sealed blob;

CREATE INDEX IF NOT EXISTS auth_event_key ON auth_event (event_key);

CREATE INDEX IF NOT EXISTS auth_session_open ON auth_session (subject_key, ended_at, created_at, session_key);

CREATE INDEX IF NOT EXISTS auth_pending_key ON auth_pending (event_key);

CREATE INDEX IF NOT EXISTS auth_session_grant ON auth_session (grant_id);

CREATE TABLE IF NOT EXISTS auth_api_token (
  token_digest blob NOT NULL,
  token_key blob NOT NULL,
  token_id text NOT NULL,
  subject_key blob NOT NULL,
  subject text NOT NULL,
  gen integer NOT NULL,
  sid text,
  token_name text NOT NULL,
  scope text,
  claims text,
  created_at integer NOT NULL,
  last_used_at integer,
  expires_at integer NOT NULL,
  ended_at integer,
  end_reason text,
  PRIMARY KEY (token_digest)
);

CREATE UNIQUE INDEX IF NOT EXISTS auth_api_token_key ON auth_api_token (token_key);

CREATE INDEX IF NOT EXISTS auth_api_token_subject ON auth_api_token (subject_key, created_at, token_key);

CREATE INDEX IF NOT EXISTS auth_api_token_expires ON auth_api_token (expires_at);

CREATE INDEX IF NOT EXISTS auth_api_token_ended ON auth_api_token (ended_at);
