-- +goose Up

-- Instants are Unix milliseconds, 0 for none; money is fen; flags are 0 or 1.
CREATE TABLE pay_orders (
    id             TEXT PRIMARY KEY,
    version        BIGINT NOT NULL,
    charge_key     TEXT   NOT NULL,
    purpose_kind   TEXT   NOT NULL, -- '' on the tombstone of a key that was closed before it was opened
    purpose_id     TEXT   NOT NULL,
    campus         TEXT   NOT NULL,
    patient        TEXT   NOT NULL,
    actor_kind     TEXT   NOT NULL,
    actor_id       TEXT   NOT NULL,
    entry          TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    quote_version  TEXT   NOT NULL,
    description    TEXT   NOT NULL,
    expires        BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    live           BIGINT NOT NULL,
    opened         BIGINT NOT NULL,
    changed        BIGINT NOT NULL,
    paid_by        TEXT   NOT NULL,
    paid_at        BIGINT NOT NULL,
    held           BIGINT NOT NULL CHECK (held >= 0),
    owed           BIGINT NOT NULL CHECK (owed >= 0),
    causes         TEXT   NOT NULL, -- JSON array
    tries          BIGINT NOT NULL,
    until_at       BIGINT NOT NULL,
    next_at        BIGINT NOT NULL,
    due            BIGINT NOT NULL,
    leased_until   BIGINT NOT NULL DEFAULT 0 -- the database's clock
);
CREATE UNIQUE INDEX pay_orders_key ON pay_orders (charge_key);
CREATE UNIQUE INDEX pay_orders_live ON pay_orders (purpose_kind, purpose_id) WHERE live = 1;
CREATE INDEX pay_orders_due ON pay_orders (due, id) WHERE due > 0;
CREATE INDEX pay_orders_purpose ON pay_orders (purpose_kind, purpose_id, id);
CREATE INDEX pay_orders_patient ON pay_orders (patient, id);

CREATE TABLE pay_attempts (
    trade_no       TEXT PRIMARY KEY,
    order_id       TEXT   NOT NULL REFERENCES pay_orders (id),
    n              BIGINT NOT NULL,
    channel        TEXT   NOT NULL,
    payer          TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    description    TEXT   NOT NULL,
    expires        BIGINT NOT NULL,
    request        TEXT   NOT NULL, -- base64, '' for none
    state          TEXT   NOT NULL,
    created        BIGINT NOT NULL,
    sent           BIGINT NOT NULL,
    tries          BIGINT NOT NULL,
    next_at        BIGINT NOT NULL,
    transaction_id TEXT   NOT NULL,
    paid_at        BIGINT NOT NULL
);
CREATE UNIQUE INDEX pay_attempts_order ON pay_attempts (order_id, n);

CREATE TABLE pay_refunds (
    refund_no      TEXT PRIMARY KEY,
    order_id       TEXT   NOT NULL REFERENCES pay_orders (id),
    n              BIGINT NOT NULL,
    trade_no       TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    channel        TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    total          BIGINT NOT NULL,
    cause          TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    created        BIGINT NOT NULL,
    sent           BIGINT NOT NULL,
    tries          BIGINT NOT NULL,
    next_at        BIGINT NOT NULL,
    refund_id      TEXT   NOT NULL,
    done           BIGINT NOT NULL,
    by_hand        BIGINT NOT NULL
);
CREATE UNIQUE INDEX pay_refunds_order ON pay_refunds (order_id, n);
CREATE UNIQUE INDEX pay_refunds_standing ON pay_refunds (trade_no) WHERE state <> 'closed';

CREATE TABLE pay_cases (
    id             TEXT PRIMARY KEY,
    order_id       TEXT   NOT NULL, -- '' for a payment that is none of ours
    n              BIGINT NOT NULL,
    subject        TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    detail         TEXT   NOT NULL,
    opened         BIGINT NOT NULL,
    closed         BIGINT NOT NULL,
    outcome        TEXT   NOT NULL,
    remark         TEXT   NOT NULL,
    actor_kind     TEXT   NOT NULL,
    actor_id       TEXT   NOT NULL,
    entry          TEXT   NOT NULL
);
CREATE INDEX pay_cases_order ON pay_cases (order_id, n);
CREATE INDEX pay_cases_open ON pay_cases (opened, id) WHERE closed = 0;

CREATE TABLE pay_postings (
    posting_key    TEXT PRIMARY KEY,
    order_id       TEXT   NOT NULL,
    version        BIGINT NOT NULL, -- of the order, as the change left it
    n              BIGINT NOT NULL, -- within the change
    posted_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX pay_postings_order ON pay_postings (order_id, version, n);

CREATE TABLE pay_entries (
    posting_key    TEXT   NOT NULL REFERENCES pay_postings (posting_key),
    n              BIGINT NOT NULL,
    account        TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    PRIMARY KEY (posting_key, n)
);
CREATE INDEX pay_entries_account ON pay_entries (account, amount);

CREATE TABLE pay_notices (
    channel        TEXT   NOT NULL,
    notice_id      TEXT   NOT NULL,
    body           TEXT   NOT NULL, -- JSON of payment.Notice
    received       BIGINT NOT NULL,
    done           BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, notice_id)
);
CREATE INDEX pay_notices_pending ON pay_notices (received, channel, notice_id) WHERE done = 0;
