-- The house's cancellation policy as it was when it was booked: JSON, empty for one that was not told, which is flexible.
ALTER TABLE orders ADD COLUMN policy TEXT NOT NULL DEFAULT '';
-- Minutes after local midnight of the first day, and the instant that is; 0: booked before this was kept.
ALTER TABLE orders ADD COLUMN check_in_minute BIGINT NOT NULL DEFAULT 900;
ALTER TABLE orders ADD COLUMN check_in_at_ms BIGINT NOT NULL DEFAULT 0;
-- Highest attempt that was ever handed out, if it is above the one the order lives on.
ALTER TABLE orders ADD COLUMN last_attempt BIGINT NOT NULL DEFAULT 0;
-- What a payment of the booking must pay for: 0, or the attempt of a change made before it was paid.
ALTER TABLE orders ADD COLUMN charge BIGINT NOT NULL DEFAULT 0;
-- Attempt of the change that is not done with, 0: none.
ALTER TABLE orders ADD COLUMN change_attempt BIGINT NOT NULL DEFAULT 0;
-- Captured for the order; decided to go back, of that; kept after a cancellation.
ALTER TABLE orders ADD COLUMN charged_cents BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN refund_cents BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN kept_cents BIGINT NOT NULL DEFAULT 0;
-- When payment-rpc was told of what is kept, 0: not yet.
ALTER TABLE orders ADD COLUMN settled_at_ms BIGINT NOT NULL DEFAULT 0;
-- Who ended a paid order: guest, host or operator.
ALTER TABLE orders ADD COLUMN ended_by TEXT NOT NULL DEFAULT '';
-- Who wants an unpaid order cancelled, if it is not the guest: host or operator.
ALTER TABLE orders ADD COLUMN cancel_requested_by TEXT NOT NULL DEFAULT '';
CREATE INDEX orders_unsettled ON orders (updated_at_ms) WHERE kept_cents > 0 AND settled_at_ms = 0;

-- The payments that pay an order, one a charge.
CREATE TABLE order_payment (
    order_sn TEXT NOT NULL,
    charge BIGINT NOT NULL,
    payment_sn TEXT NOT NULL UNIQUE,
    amount_cents BIGINT NOT NULL,
    -- Decided to go back.
    back_cents BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (order_sn, charge),
    CHECK (back_cents >= 0 AND back_cents <= amount_cents)
);

-- Refunds that were decided: what payment-rpc is asked for.
CREATE TABLE order_refund (
    payment_sn TEXT NOT NULL,
    -- What payment-rpc knows it by; empty: all that is left of the payment.
    refund_key TEXT NOT NULL,
    order_sn TEXT NOT NULL,
    amount_cents BIGINT NOT NULL CHECK (amount_cents > 0),
    reason TEXT NOT NULL,
    decided_at_ms BIGINT NOT NULL,
    -- 0: payment-rpc does not know of it yet.
    asked_at_ms BIGINT NOT NULL DEFAULT 0,
    -- When the sweep looks at it again.
    look_at_ms BIGINT NOT NULL,
    PRIMARY KEY (payment_sn, refund_key)
);
CREATE INDEX order_refund_of_order ON order_refund (order_sn);
CREATE INDEX order_refund_unasked ON order_refund (look_at_ms) WHERE asked_at_ms = 0;

-- Changes of dates or guests: the intent is written before travel is asked.
CREATE TABLE order_change (
    order_sn TEXT NOT NULL,
    -- Attempt of the hold that is to replace the one of from_attempt; also the charge of the difference.
    attempt BIGINT NOT NULL,
    from_attempt BIGINT NOT NULL,
    -- Hash of user, route and Idempotency-Key, or random; and what a repeat is compared with.
    change_key TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    -- asked, held, applied, refused, dropped.
    state TEXT NOT NULL,
    check_in_day BIGINT NOT NULL,
    check_out_day BIGINT NOT NULL,
    check_in_at_ms BIGINT NOT NULL,
    guests BIGINT NOT NULL,
    meals BIGINT NOT NULL,
    expected_cents BIGINT NOT NULL,
    old_total_cents BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    look_at_ms BIGINT NOT NULL,
    -- From here on what travel answered.
    unit BIGINT NOT NULL DEFAULT 0,
    room_cents BIGINT NOT NULL DEFAULT 0,
    meal_cents BIGINT NOT NULL DEFAULT 0,
    total_cents BIGINT NOT NULL DEFAULT 0,
    lines TEXT NOT NULL DEFAULT '[]',
    -- The difference that is waited for, and until when; 0: none.
    due_cents BIGINT NOT NULL DEFAULT 0,
    due_before_ms BIGINT NOT NULL DEFAULT 0,
    -- What the change gave back.
    refund_cents BIGINT NOT NULL DEFAULT 0,
    ended_at_ms BIGINT NOT NULL DEFAULT 0,
    -- Code and text of why it was refused or dropped.
    error_code TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    -- When the hold that is not needed any more was given back, 0: it is to be.
    released_at_ms BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (order_sn, attempt)
);
CREATE INDEX order_change_open ON order_change (look_at_ms) WHERE released_at_ms = 0;

-- What was paid before this was kept.
INSERT INTO order_payment (order_sn, charge, payment_sn, amount_cents, back_cents)
    SELECT sn, 0, payment_sn, total_cents, CASE WHEN state IN ('refund_pending', 'refunded') THEN total_cents ELSE 0 END
    FROM orders WHERE payment_sn <> '';
INSERT INTO order_refund (payment_sn, refund_key, order_sn, amount_cents, reason, decided_at_ms, look_at_ms)
    SELECT payment_sn, '', sn, total_cents, 'order refunded', updated_at_ms, updated_at_ms
    FROM orders WHERE payment_sn <> '' AND state = 'refund_pending';
UPDATE orders SET charged_cents = total_cents,
    refund_cents = CASE WHEN state IN ('refund_pending', 'refunded') THEN total_cents ELSE 0 END
    WHERE payment_sn <> '';
