-- One row an order that anybody wanted to pay. Creating a payment and closing the order for payments both update it, so
-- that they come one after the other on every database.
CREATE TABLE pay_order (
    order_sn TEXT NOT NULL PRIMARY KEY,
    -- 1: no new payments.
    closed BIGINT NOT NULL
);

CREATE TABLE payment (
    id BIGINT NOT NULL PRIMARY KEY,
    sn TEXT NOT NULL UNIQUE,
    order_sn TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    provider TEXT NOT NULL,
    pay_type TEXT NOT NULL,
    -- What the payer reads at the provider; part of the intent, the same at every prepay.
    description TEXT NOT NULL,
    -- created, pending, captured, failed, closed, refund_pending, refunded.
    state TEXT NOT NULL,
    -- 1: the order's one payment that counts; 0: given up, or late money.
    live BIGINT NOT NULL,
    amount_cents BIGINT NOT NULL CHECK (amount_cents > 0),
    refunded_cents BIGINT NOT NULL CHECK (refunded_cents BETWEEN 0 AND amount_cents),
    currency TEXT NOT NULL,
    -- Empty until the provider has answered.
    pay_url TEXT NOT NULL,
    provider_ref TEXT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    -- 0 until captured.
    captured_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    -- When a sweep last asked the provider, or the order, about it.
    swept_at_ms BIGINT NOT NULL,
    -- When order-rpc was seen to have taken the captured money; 0: not known.
    settled_at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX payment_live ON payment (order_sn) WHERE live = 1;
CREATE INDEX payment_order ON payment (order_sn, id);
CREATE INDEX payment_open ON payment (swept_at_ms) WHERE state IN ('created', 'pending');
CREATE INDEX payment_unsettled ON payment (swept_at_ms) WHERE state = 'captured' AND settled_at_ms = 0;

CREATE TABLE refund (
    id BIGINT NOT NULL PRIMARY KEY,
    -- Also the key under which the provider is asked, however often.
    sn TEXT NOT NULL UNIQUE,
    payment_sn TEXT NOT NULL,
    amount_cents BIGINT NOT NULL CHECK (amount_cents > 0),
    -- pending, succeeded, failed.
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- The provider's words when it refused.
    failure TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);
-- Refunds are whole: one a payment.
CREATE UNIQUE INDEX refund_payment ON refund (payment_sn);
CREATE INDEX refund_pending ON refund (updated_at_ms) WHERE state = 'pending';

-- What providers have told us, each once.
CREATE TABLE inbox (
    provider TEXT NOT NULL,
    event_id TEXT NOT NULL,
    payment_sn TEXT NOT NULL,
    received_at_ms BIGINT NOT NULL,
    PRIMARY KEY (provider, event_id)
);
