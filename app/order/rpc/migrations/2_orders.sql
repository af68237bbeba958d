CREATE TABLE orders (
    id BIGINT NOT NULL PRIMARY KEY,
    sn TEXT NOT NULL UNIQUE,
    -- Key of the first attempt's hold; a later attempt's is this, '#' and the attempt.
    hold_key TEXT NOT NULL UNIQUE,
    -- Hash of the booking request: what a repeated Idempotency-Key is compared with.
    fingerprint TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    -- The house as it was when it was booked.
    house_id BIGINT NOT NULL,
    shop_id BIGINT NOT NULL,
    host_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    sub_title TEXT NOT NULL,
    cover TEXT NOT NULL,
    info TEXT NOT NULL,
    people_num BIGINT NOT NULL,
    row_type BIGINT NOT NULL,
    food_info TEXT NOT NULL,
    food_cents BIGINT NOT NULL,
    price_cents BIGINT NOT NULL,
    market_cents BIGINT NOT NULL,
    -- IANA name; the days below are civil dates there, as days since 1970-01-01.
    time_zone TEXT NOT NULL,
    check_in_day BIGINT NOT NULL,
    check_out_day BIGINT NOT NULL,
    guests BIGINT NOT NULL,
    -- 0 or 1.
    meals BIGINT NOT NULL,
    remark TEXT NOT NULL,
    -- Unit of the house and attempt of the hold the nights are taken under.
    unit BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    currency TEXT NOT NULL,
    room_cents BIGINT NOT NULL,
    meal_cents BIGINT NOT NULL,
    total_cents BIGINT NOT NULL,
    -- JSON array of priced lines.
    lines TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    pay_before_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    -- 'guest' or 'timeout' while cancelled.
    cancelled_by TEXT NOT NULL DEFAULT '',
    trade_code TEXT NOT NULL DEFAULT '',
    paid_at_ms BIGINT NOT NULL DEFAULT 0,
    payment_sn TEXT NOT NULL DEFAULT '',
    pay_type TEXT NOT NULL DEFAULT '',
    -- 0: the nights of an order that has ended are not given back yet.
    released_at_ms BIGINT NOT NULL DEFAULT 0,
    guest_told_at_ms BIGINT NOT NULL DEFAULT 0,
    host_told_at_ms BIGINT NOT NULL DEFAULT 0,
    -- When the guest asked to cancel, 0: not; and why. Void once the order is confirmed.
    cancel_requested_at_ms BIGINT NOT NULL DEFAULT 0,
    cancel_reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX orders_of_user ON orders (user_id, id);
-- What the sweep looks for: small, whatever the table grows to.
CREATE INDEX orders_awaiting ON orders (pay_before_ms) WHERE state = 'awaiting_payment';
CREATE INDEX orders_unreleased ON orders (updated_at_ms)
    WHERE released_at_ms = 0 AND state IN ('cancelled', 'refund_pending', 'refunded');
CREATE INDEX orders_refunding ON orders (updated_at_ms) WHERE state = 'refund_pending';

CREATE TABLE order_step (
    order_sn TEXT NOT NULL,
    -- attempt * 10 + the step's place.
    seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    -- Node that began it.
    node TEXT NOT NULL,
    error TEXT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    -- 0: not ended, or failed.
    ended_at_ms BIGINT NOT NULL,
    undo_started_at_ms BIGINT NOT NULL,
    undo_ended_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_sn, seq)
);

CREATE TABLE hold_claim (
    hold_key TEXT NOT NULL PRIMARY KEY,
    -- Empty: a tombstone, no order may ever be written for this key.
    order_sn TEXT NOT NULL
);
