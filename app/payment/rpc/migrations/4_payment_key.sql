-- Idempotency-Keys of callers: which order and which payment a key stands for.
CREATE TABLE payment_key (
    user_id BIGINT NOT NULL,
    route TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    order_sn TEXT NOT NULL,
    payment_sn TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, route, idempotency_key)
);
