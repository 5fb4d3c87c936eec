-- The tables of nestjs-logout. Generated; see test/support/sql-files.ts.
-- SQLite: run it on the file of the application.

CREATE TABLE IF NOT EXISTS auth_log (
  id integer NOT NULL,
  log_id text NOT NULL,
  created_at integer NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS auth_head (
  id integer NOT NULL,
  position integer NOT NULL,
  last_event_id blob,
  purged_through integer NOT NULL,
  server text,
  format integer NOT NULL,
  max_staleness integer NOT NULL,
  max_staleness_by text,
  max_token_life integer NOT NULL,
  max_token_life_by text,
  purge_claimed_until integer NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS auth_event (
  position integer NOT NULL,
  event_id blob NOT NULL,
  kind text NOT NULL,
  event_key blob NOT NULL,
  kills_below integer,
  except_key blob,
  access_only integer NOT NULL,
  issued_before integer,
  keep_until integer,
  reason text NOT NULL,
  actor text,
  created_at integer NOT NULL,
  PRIMARY KEY (position)
);

CREATE TABLE IF NOT EXISTS auth_pending (
  event_id blob NOT NULL,
  kind text NOT NULL,
  event_key blob NOT NULL,
  except_key blob,
  access_only integer NOT NULL,
  expires_at integer,
  life integer,
  skew integer NOT NULL,
  reason text NOT NULL,
  actor text,
  PRIMARY KEY (event_id)
);

CREATE TABLE IF NOT EXISTS auth_subject (
  subject_key blob NOT NULL,
  kills_below integer NOT NULL,
  reason text NOT NULL,
  except_key blob,
  spared_below integer NOT NULL,
  spared_reason text NOT NULL,
  marked_at integer NOT NULL,
  locked_until integer,
  disabled_at integer,
  PRIMARY KEY (subject_key)
);

CREATE TABLE IF NOT EXISTS auth_session (
  session_key blob NOT NULL,
  sid text NOT NULL,
  subject_key blob NOT NULL,
  subject text NOT NULL,
  gen integer NOT NULL,
  kid text NOT NULL,
  client text,
  device text,
  ip text,
  user_agent text,
  delivery text NOT NULL,
  created_at integer NOT NULL,
  last_seen_at integer NOT NULL,
  idle_until integer NOT NULL,
  expires_at integer NOT NULL,
  ended_at integer,
  end_reason text,
  PRIMARY KEY (session_key)
);

CREATE TABLE IF NOT EXISTS auth_refresh (
  token_digest blob NOT NULL,
  session_key blob NOT NULL,
  number integer NOT NULL,
  expires_at integer NOT NULL,
  replaced_at integer,
  grace_until integer,
  retries integer NOT NULL,
  sealed_successor blob,
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
  SELECT 1, lower(hex(randomblob(16))), CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_log);

INSERT INTO auth_head (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until)
  SELECT 1, 0, 0, 1, 0, 0, 0 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_head);

CREATE TABLE IF NOT EXISTS auth_instance (
  instance_id blob NOT NULL,
  label text NOT NULL,
  issuer text NOT NULL,
  max_staleness integer NOT NULL,
  max_token_life integer NOT NULL,
  release_name text NOT NULL,
  format integer NOT NULL,
  seen_at integer NOT NULL,
  clock_ahead integer NOT NULL,
  PRIMARY KEY (instance_id)
);

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
