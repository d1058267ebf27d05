-- +goose Up

-- Who has the lease: a token that is fresh for every lease, '' for nobody.
ALTER TABLE pay_orders ADD COLUMN lease_holder TEXT NOT NULL DEFAULT '';
