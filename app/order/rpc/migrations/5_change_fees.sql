-- The most that a cancellation by the guest gives back, in per cent: changes lower it.
ALTER TABLE orders ADD COLUMN refund_percent_cap BIGINT NOT NULL DEFAULT 100;
-- What a cancellation would have given back when travel answered, and what is kept of a stay that became cheaper.
ALTER TABLE order_change ADD COLUMN refund_percent BIGINT NOT NULL DEFAULT 100;
ALTER TABLE order_change ADD COLUMN fee_cents BIGINT NOT NULL DEFAULT 0;
