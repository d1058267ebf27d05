-- +goose Up

-- Who uses the server. The openid is sealed; index_of finds it again. Neither can
-- be read with the database alone. Times are Unix milliseconds of the wall clock.
CREATE TABLE account_users (
	id         TEXT   PRIMARY KEY,
	index_of   TEXT   NOT NULL UNIQUE,
	sealed     TEXT   NOT NULL,
	created_at BIGINT NOT NULL
);

-- hash is of the cookie's value, which is nowhere else.
CREATE TABLE account_sessions (
	hash       TEXT   PRIMARY KEY,
	user_id    TEXT   NOT NULL,
	patient    TEXT   NOT NULL, -- whom the pages are about; '' for the first
	created_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL
);
CREATE INDEX account_sessions_user ON account_sessions (user_id);
CREATE INDEX account_sessions_seen ON account_sessions (seen_at);

-- One wish to bind a patient or to open a file. sealed says for whom and to which
-- phone the code goes; an answer that nobody was found has a row as well, so that
-- both look alike. The code itself is derived from the id and stored nowhere.
CREATE TABLE account_challenges (
	id         TEXT   PRIMARY KEY,
	user_id    TEXT   NOT NULL,
	subject    TEXT   NOT NULL, -- pseudonym of what was asked for, to count by
	sealed     TEXT   NOT NULL,
	tries      BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	proved_at  BIGINT NOT NULL, -- 0: not yet
	spent_at   BIGINT NOT NULL  -- 0: not yet
);
CREATE INDEX account_challenges_user ON account_challenges (user_id, created_at);
CREATE INDEX account_challenges_ended ON account_challenges (expires_at);
CREATE INDEX account_challenges_subject ON account_challenges (subject, created_at);

-- Codes that the service desk gives to somebody who stands before it.
CREATE TABLE account_desk_codes (
	hash       TEXT   PRIMARY KEY,
	expires_at BIGINT NOT NULL,
	spent_at   BIGINT NOT NULL
);

CREATE TABLE account_consents (
	id           TEXT   PRIMARY KEY,
	user_id      TEXT   NOT NULL,
	patient      TEXT   NOT NULL,
	text_version TEXT   NOT NULL,
	text_hash    TEXT   NOT NULL,
	channel      TEXT   NOT NULL,
	at           BIGINT NOT NULL
);
CREATE INDEX account_consents_patient ON account_consents (patient, at);

-- Forms that were sent, by the key in them, and where their answer is. A form
-- that is sent twice is done once.
CREATE TABLE account_forms (
	key        TEXT   PRIMARY KEY,
	path       TEXT   NOT NULL, -- '' while it is being done
	created_at BIGINT NOT NULL
);
