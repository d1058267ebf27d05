-- +goose Up

-- The id is an HMAC of the form's nonce and of what was told, so that reloading,
-- going back, tapping twice and another replica keep one row. refined counts the
-- follow-up answers: an earlier page never takes a later answer back.
ALTER TABLE guide_consultations ADD COLUMN refined BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE guide_consultations DROP COLUMN refined;
