-- The books of the sandbox provider. It plays somebody outside: nothing else reads them.
CREATE TABLE sandbox_charge (
    -- The unguessable part of the pay page's address.
    token TEXT NOT NULL PRIMARY KEY,
    -- The merchant's numbers.
    payment_sn TEXT NOT NULL UNIQUE,
    order_sn TEXT NOT NULL,
    description TEXT NOT NULL,
    amount_cents BIGINT NOT NULL,
    currency TEXT NOT NULL,
    -- open, late, captured, failed, closed, refunded.
    state TEXT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    captured_at_ms BIGINT NOT NULL,
    failed_at_ms BIGINT NOT NULL,
    refunded_at_ms BIGINT NOT NULL,
    -- Key of the refund, so that asking twice refunds once.
    refund_key TEXT NOT NULL
);
