-- +goose Up

-- Events: what happened, without personal data. id is the reader's cursor.
CREATE TABLE events (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	kind       TEXT    NOT NULL,
	object     TEXT    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT;

-- Jobs: what must still be done. state is ready, done (kept so that its key is
-- never used again) or dead (a person must look).
CREATE TABLE jobs (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	kind         TEXT    NOT NULL,
	key          TEXT    NOT NULL,
	payload      TEXT    NOT NULL,
	state        TEXT    NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'done', 'dead')),
	keep         INTEGER NOT NULL DEFAULT 0,
	run_at       INTEGER NOT NULL,
	attempts     INTEGER NOT NULL DEFAULT 0,
	max_attempts INTEGER NOT NULL,
	lease_until  INTEGER NOT NULL DEFAULT 0,
	fence        INTEGER NOT NULL DEFAULT 0,
	last_error   TEXT    NOT NULL DEFAULT '',
	created_at   INTEGER NOT NULL,
	ended_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state = 'ready';
CREATE INDEX jobs_ended ON jobs (state, ended_at) WHERE state <> 'ready';

-- Audit: who did what. seq, prev and mac are the sealer's; 0 is not yet sealed.
CREATE TABLE audit (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	seq          INTEGER,
	at           INTEGER NOT NULL,
	actor_kind   TEXT    NOT NULL,
	actor_id     TEXT    NOT NULL,
	entry        TEXT    NOT NULL,
	purpose      TEXT    NOT NULL,
	action       TEXT    NOT NULL,
	object       TEXT    NOT NULL,
	patient      TEXT    NOT NULL,
	outcome      TEXT    NOT NULL,
	rule_version TEXT    NOT NULL,
	prev         TEXT    NOT NULL DEFAULT '',
	mac          TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX audit_seq ON audit (seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (id) WHERE seq IS NULL;
CREATE INDEX audit_patient ON audit (patient, at) WHERE patient <> '';

-- Config versions: a rule, template, menu or knowledge base, never changed.
CREATE TABLE config_versions (
	kind       TEXT    NOT NULL,
	version    TEXT    NOT NULL,
	hash       TEXT    NOT NULL,
	body       TEXT    NOT NULL,
	source     TEXT    NOT NULL,
	valid_from INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (kind, version)
) STRICT;
CREATE INDEX config_versions_valid ON config_versions (kind, valid_from);

-- +goose Down
DROP TABLE config_versions;
DROP TABLE audit;
DROP TABLE jobs;
DROP TABLE events;
