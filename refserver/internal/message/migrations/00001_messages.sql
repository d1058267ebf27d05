-- +goose Up

-- One row a message to one user: what the inbox shows, and how it was sent.
CREATE TABLE messages (
	id        TEXT   PRIMARY KEY,
	event     TEXT   NOT NULL, -- what caused it: the event's number, or a reminder's object
	scene     TEXT   NOT NULL,
	recipient TEXT   NOT NULL,
	patient   TEXT   NOT NULL, -- whom it is about
	object    TEXT   NOT NULL,
	title     TEXT   NOT NULL,
	body      TEXT   NOT NULL,
	fields    TEXT   NOT NULL, -- JSON, for the notice
	created   BIGINT NOT NULL, -- business time
	read_at   BIGINT NOT NULL,
	state     TEXT   NOT NULL, -- inbox, waiting, sent, arrived, failed, unknown
	channel   TEXT   NOT NULL, -- wechat, sms
	send_key  TEXT   NOT NULL,
	turn      BIGINT NOT NULL, -- counts the fresh starts; the send job names one
	first_try BIGINT NOT NULL, -- wall clock, 0 while certainly nothing was sent under send_key
	tries     BIGINT NOT NULL,
	tried_at  BIGINT NOT NULL, -- business time
	msgid     TEXT   NOT NULL,
	failure   TEXT   NOT NULL  -- kind and code
);
CREATE UNIQUE INDEX messages_once ON messages (event, scene, recipient);
CREATE INDEX messages_inbox ON messages (recipient, id);
CREATE INDEX messages_unread ON messages (recipient) WHERE read_at = 0;
CREATE INDEX messages_failed ON messages (tried_at) WHERE failure <> '';
CREATE INDEX messages_msgid ON messages (msgid) WHERE msgid <> '';

-- Results that came before the answer they belong to.
CREATE TABLE message_results (
	msgid  TEXT   PRIMARY KEY,
	status TEXT   NOT NULL,
	at     BIGINT NOT NULL
);

-- +goose Down
DROP TABLE message_results;
DROP TABLE messages;
