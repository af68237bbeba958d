-- A payment of which the provider captured another amount, or currency, than was asked for is `disputed`: its amount and currency
-- are then the provider's, and these two what was asked for. 0 and empty for all others.
ALTER TABLE payment ADD COLUMN asked_cents BIGINT NOT NULL DEFAULT 0 CHECK (asked_cents >= 0);
ALTER TABLE payment ADD COLUMN asked_currency TEXT NOT NULL DEFAULT '';
-- The provider's number of what it gave back of its own accord and that ended this refund; empty for all others.
ALTER TABLE refund ADD COLUMN came_by TEXT NOT NULL DEFAULT '';
