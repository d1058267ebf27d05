-- +goose Up

-- One row a consultation, to improve the knowledge by. It holds nobody's
-- identity: no user, no session, no address, no time of day, and a random id, so
-- that not even the order tells who came when. Of what was written only words of
-- the lexicon are kept, never the sentence: it may name people.
CREATE TABLE guide_consultations (
	id        TEXT   PRIMARY KEY,
	day       TEXT   NOT NULL, -- 2026-11-25
	version   TEXT   NOT NULL, -- of config_versions, '' for the shipped knowledge
	knowledge TEXT   NOT NULL, -- name and hash of the set
	level     TEXT   NOT NULL, -- none, emergency_department, call_120
	advised   TEXT   NOT NULL, -- the first standard department, '' when nothing was understood
	body      TEXT   NOT NULL  -- the rest, as JSON
);
CREATE INDEX guide_by_day ON guide_consultations (day);

-- +goose Down
DROP TABLE guide_consultations;
