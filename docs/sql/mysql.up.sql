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

ALTER TABLE auth_event ADD UNIQUE INDEX auth_event_id (event_id);

ALTER TABLE auth_event ADD INDEX auth_event_keep_until (keep_until);

INSERT INTO auth_log (id, log_id, created_at)
  SELECT 1, UUID(), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_log);

INSERT INTO auth_head (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until)
  SELECT 1, 0, 0, 1, 0, 0, 0 FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM auth_head);

-- What the role of the application needs, and no more (here it is called app):
-- GRANT SELECT ON auth_log TO 'app'@'%';
-- GRANT SELECT, UPDATE ON auth_head TO 'app'@'%';
-- GRANT SELECT, INSERT, DELETE ON auth_event TO 'app'@'%';
-- GRANT SELECT, INSERT, DELETE ON auth_pending TO 'app'@'%';
