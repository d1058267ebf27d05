-- +goose Up

-- Who has the lease: a token that is fresh for every lease, '' for nobody.
ALTER TABLE pay_orders ADD COLUMN lease_holder TEXT NOT NULL DEFAULT '';

-- Since when an attempt is being closed, 0 when it is not.
ALTER TABLE pay_attempts ADD COLUMN closing BIGINT NOT NULL DEFAULT 0;
