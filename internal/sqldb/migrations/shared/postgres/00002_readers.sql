-- +goose Up

-- How far each reader of the event stream has come.
CREATE TABLE event_readers (
	name TEXT   PRIMARY KEY,
	seq  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE event_readers;
