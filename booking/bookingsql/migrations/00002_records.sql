-- +goose Up

-- A row whose body cannot be read is put aside when a worker comes upon it, so
-- that it holds up no other; 0 for a row that was never found unreadable.
ALTER TABLE booking_appointments ADD COLUMN unreadable_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX booking_unreadable ON booking_appointments (id) WHERE unreadable_at > 0;

-- A number that the HIS refused is sold after all others, in the order in which
-- such numbers came back; 0 for one that is sold before the counter advances.
ALTER TABLE booking_freed ADD COLUMN deferred BIGINT NOT NULL DEFAULT 0;

-- How each binding came about: what the events of a binding name.
CREATE TABLE booking_handovers (
	id      TEXT   PRIMARY KEY,
	patient TEXT   NOT NULL,
	holder  TEXT   NOT NULL,
	former  TEXT   NOT NULL, -- '' for nobody
	at      BIGINT NOT NULL
);
