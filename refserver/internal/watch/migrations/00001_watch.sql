-- +goose Up

-- One row a patient who is or was bound.
CREATE TABLE watch_patients (
	id      TEXT   PRIMARY KEY, -- ours: what events name
	patient TEXT   NOT NULL UNIQUE,
	round   BIGINT NOT NULL, -- grows with every binding; an older round's job ends
	since   BIGINT NOT NULL, -- of the round, business time
	record  TEXT   NOT NULL  -- keyed digest of the HIS's record, '' before the first look
);

-- The bills that were seen.
CREATE TABLE watch_bills (
	bill    TEXT   PRIMARY KEY,
	patient TEXT   NOT NULL,
	seen_at BIGINT NOT NULL -- business time
);

-- +goose Down
DROP TABLE watch_bills;
DROP TABLE watch_patients;
