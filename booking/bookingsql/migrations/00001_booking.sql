-- +goose Up

-- One row an appointment. body is the appointment as JSON; the columns beside it
-- are what the statements of the store select by. Times are Unix milliseconds.
CREATE TABLE booking_appointments (
	id          TEXT   PRIMARY KEY,
	version     BIGINT NOT NULL,
	state       TEXT   NOT NULL,
	live        BIGINT NOT NULL, -- claims its number
	patient     TEXT   NOT NULL,
	schedule    TEXT   NOT NULL,
	slot        TEXT   NOT NULL,
	number      BIGINT NOT NULL, -- of our own quota; 0 when the HIS owns the numbers
	visit_date  TEXT   NOT NULL,
	department  TEXT   NOT NULL,
	doctor      TEXT   NOT NULL,
	ended_at    BIGINT NOT NULL,
	due_at      BIGINT,          -- business time; null for never
	lease_until BIGINT NOT NULL, -- the database's clock
	body        TEXT   NOT NULL
);
CREATE UNIQUE INDEX booking_one_holder ON booking_appointments (slot, number) WHERE live = 1 AND number > 0;
CREATE INDEX booking_by_patient ON booking_appointments (patient, visit_date);
CREATE INDEX booking_by_date ON booking_appointments (visit_date, id);
CREATE INDEX booking_by_schedule ON booking_appointments (schedule, id);
CREATE INDEX booking_due ON booking_appointments (due_at) WHERE due_at IS NOT NULL;

-- The numbers of a segment that the hospital handed to us: a list in the order of
-- sale and a counter of how many were ever sold.
CREATE TABLE booking_quotas (
	slot     TEXT   PRIMARY KEY,
	schedule TEXT   NOT NULL,
	numbers  TEXT   NOT NULL, -- JSON
	granted  BIGINT NOT NULL,
	taken    BIGINT NOT NULL CHECK (taken <= granted)
);

-- Numbers that came back; sold before the counter advances.
CREATE TABLE booking_freed (
	slot   TEXT   NOT NULL,
	number BIGINT NOT NULL,
	PRIMARY KEY (slot, number)
);

CREATE TABLE booking_bindings (
	patient TEXT   PRIMARY KEY, -- held by one user
	holder  TEXT   NOT NULL,
	since   BIGINT NOT NULL
);
CREATE INDEX booking_bindings_holder ON booking_bindings (holder, since);

CREATE TABLE booking_unlocks (
	id      TEXT   PRIMARY KEY,
	patient TEXT   NOT NULL,
	at      BIGINT NOT NULL
);
CREATE INDEX booking_unlocks_patient ON booking_unlocks (patient, at);
