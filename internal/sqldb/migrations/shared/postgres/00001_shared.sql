-- +goose Up

-- Events: what happened, without personal data. seq is the reader's cursor. It
-- is assigned after the commit, because ids commit in any order and a reader
-- that went by id would skip the late ones.
CREATE TABLE events (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind       TEXT   NOT NULL,
	object     TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	seq        BIGINT
);
CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq IS NOT NULL;
CREATE INDEX events_new ON events (id) WHERE seq IS NULL;

-- Jobs: what must still be done. state is ready, done (kept so that its key is
-- never used again) or dead (a person must look).
CREATE TABLE jobs (
	id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind         TEXT   NOT NULL,
	key          TEXT   NOT NULL,
	payload      TEXT   NOT NULL,
	state        TEXT   NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'done', 'dead')),
	keep         BIGINT NOT NULL DEFAULT 0,
	run_at       BIGINT NOT NULL,
	attempts     BIGINT NOT NULL DEFAULT 0,
	max_attempts BIGINT NOT NULL,
	lease_until  BIGINT NOT NULL DEFAULT 0,
	fence        BIGINT NOT NULL DEFAULT 0,
	last_error   TEXT   NOT NULL DEFAULT '',
	created_at   BIGINT NOT NULL,
	ended_at     BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state = 'ready';
CREATE INDEX jobs_ended ON jobs (state, ended_at) WHERE state <> 'ready';

-- Audit: who did what. seq, prev and mac are the sealer's; 0 is not yet sealed.
CREATE TABLE audit (
	id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	seq          BIGINT,
	at           BIGINT NOT NULL,
	actor_kind   TEXT   NOT NULL,
	actor_id     TEXT   NOT NULL,
	entry        TEXT   NOT NULL,
	purpose      TEXT   NOT NULL,
	action       TEXT   NOT NULL,
	object       TEXT   NOT NULL,
	patient      TEXT   NOT NULL,
	outcome      TEXT   NOT NULL,
	rule_version TEXT   NOT NULL,
	prev         TEXT   NOT NULL DEFAULT '',
	mac          TEXT   NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX audit_seq ON audit (seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (id) WHERE seq IS NULL;
CREATE INDEX audit_patient ON audit (patient, at) WHERE patient <> '';

-- Config versions: a rule, template, menu or knowledge base, never changed.
CREATE TABLE config_versions (
	kind       TEXT   NOT NULL,
	version    TEXT   NOT NULL,
	hash       TEXT   NOT NULL,
	body       TEXT   NOT NULL,
	source     TEXT   NOT NULL,
	valid_from BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (kind, version)
);
CREATE INDEX config_versions_valid ON config_versions (kind, valid_from);

-- +goose Down
DROP TABLE config_versions;
DROP TABLE audit;
DROP TABLE jobs;
DROP TABLE events;
