-- +goose Up

-- The accounts of staff. Instants are Unix milliseconds by the wall clock.
CREATE TABLE staff_accounts (
	login        TEXT   PRIMARY KEY, -- 工号: who acts, in the audit trail; never given to another
	name         TEXT   NOT NULL,
	roles        TEXT   NOT NULL,
	password     TEXT   NOT NULL, -- argon2id; '' until the link was used
	totp         TEXT   NOT NULL, -- the secret, encrypted
	totp_step    BIGINT NOT NULL, -- the last step that was used: a code is good once
	failures     BIGINT NOT NULL, -- tries since the last success
	locked_until BIGINT NOT NULL,
	disabled     BIGINT NOT NULL,
	created_at   BIGINT NOT NULL
);

-- One-time links by which somebody chooses a password and takes the second factor.
CREATE TABLE staff_links (
	hash       TEXT   PRIMARY KEY, -- SHA-256 of the token
	login      TEXT   NOT NULL,    -- '' for the first account
	totp       TEXT   NOT NULL,    -- the secret to come, encrypted
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL     -- 0 while it can be used
);

CREATE TABLE staff_sessions (
	hash       TEXT   PRIMARY KEY, -- SHA-256 of the cookie
	login      TEXT   NOT NULL,
	seen_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX staff_sessions_login ON staff_sessions (login);

-- +goose Down
DROP TABLE staff_sessions;
DROP TABLE staff_links;
DROP TABLE staff_accounts;
