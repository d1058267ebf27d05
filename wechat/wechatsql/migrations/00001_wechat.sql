-- +goose Up

-- One row a token: its value, and who may fetch the next one. Times are Unix
-- milliseconds, of the wall clock but for lease_until, which is the database's;
-- 0 is never.
CREATE TABLE wechat_tokens (
	name        TEXT   PRIMARY KEY, -- "wx…/access_token"
	value       TEXT   NOT NULL,
	renew_at    BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,
	forced_at   BIGINT NOT NULL,
	forces      BIGINT NOT NULL,    -- on the day of forced_at
	holder      TEXT   NOT NULL,    -- of the lease; '' is nobody
	lease_until BIGINT NOT NULL
);

-- Login states that have come back. Beyond expires_at a state is void by itself.
CREATE TABLE wechat_spent_states (
	state      TEXT   PRIMARY KEY,
	expires_at BIGINT NOT NULL
);
CREATE INDEX wechat_spent_states_expired ON wechat_spent_states (expires_at);
