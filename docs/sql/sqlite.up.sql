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

CREATE UNIQUE INDEX IF NOT EXISTS auth_event_id ON auth_event (event_id);

CREATE INDEX IF NOT EXISTS auth_event_keep_until ON auth_event (keep_until);

INSERT INTO auth_log (id, log_id, created_at)
  SELECT 1, lower(hex(randomblob(16))), CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_log);

INSERT INTO auth_head (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until)
  SELECT 1, 0, 0, 1, 0, 0, 0 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_head);
