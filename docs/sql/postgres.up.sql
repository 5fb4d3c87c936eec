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

CREATE UNIQUE INDEX IF NOT EXISTS auth_event_id ON auth_event (event_id);

CREATE INDEX IF NOT EXISTS auth_event_keep_until ON auth_event (keep_until);

INSERT INTO auth_log (id, log_id, created_at)
  SELECT 1, gen_random_uuid()::text, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_log);

INSERT INTO auth_head (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until)
  SELECT 1, 0, 0, 1, 0, 0, 0 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_head);

-- What the role of the application needs, and no more (here it is called app):
-- GRANT SELECT ON auth_log TO app;
-- GRANT SELECT, UPDATE ON auth_head TO app;
-- GRANT SELECT, INSERT, DELETE, UPDATE (event_id) ON auth_event TO app;
-- GRANT SELECT, INSERT, DELETE ON auth_pending TO app;
