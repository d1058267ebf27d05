-- +goose Up

-- One row a charge for a bill, from the quote to its end. A withdrawn key stays
-- for good: a delivery that comes late must find it.
CREATE TABLE bill_charges (
	charge_key TEXT   PRIMARY KEY,
	version    BIGINT NOT NULL, -- counts every change
	state      TEXT   NOT NULL, -- quoted, telling, settled, refused, withdrawing, withdrawn
	patient    TEXT   NOT NULL,
	bill       TEXT   NOT NULL,
	quote      TEXT   NOT NULL,
	amount     BIGINT NOT NULL, -- fen
	expires_at BIGINT NOT NULL, -- business time
	sent_at    BIGINT NOT NULL, -- wall clock of the last intent to call the HIS, 0 for none
	body       TEXT   NOT NULL  -- the charge and what the HIS wants back, as JSON
);
CREATE INDEX bill_by_patient ON bill_charges (patient, bill);

-- +goose Down
DROP TABLE bill_charges;
