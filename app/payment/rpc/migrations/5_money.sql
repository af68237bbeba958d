-- Charges: an order may be paid in parts, the booking itself (0) and the differences of its changes (their attempt numbers).
ALTER TABLE payment ADD COLUMN charge BIGINT NOT NULL DEFAULT 0;
DROP INDEX payment_live;
CREATE UNIQUE INDEX payment_live ON payment (order_sn, charge) WHERE live = 1;

-- 1: no new payments for any charge of the order. `closed` is about the booking itself.
ALTER TABLE pay_order ADD COLUMN all_closed BIGINT NOT NULL DEFAULT 0;
-- What has gone to the host, of all that was captured for the order.
ALTER TABLE pay_order ADD COLUMN settled_cents BIGINT NOT NULL DEFAULT 0 CHECK (settled_cents >= 0);
-- The changes of an order that anybody wanted to pay. Making a payment and closing both update the row, as with `pay_order`.
CREATE TABLE pay_charge (
    order_sn TEXT NOT NULL,
    charge BIGINT NOT NULL,
    closed BIGINT NOT NULL,
    PRIMARY KEY (order_sn, charge)
);

-- What went back and what is on its way: no refund begins that does not fit.
ALTER TABLE payment ADD COLUMN refund_reserved_cents BIGINT NOT NULL DEFAULT 0
    CHECK (refund_reserved_cents BETWEEN 0 AND amount_cents);
UPDATE payment SET refund_reserved_cents = amount_cents WHERE state IN ('refund_pending', 'refunded');
-- Several refunds a payment, each under a key of whoever asks for it.
ALTER TABLE refund ADD COLUMN key TEXT NOT NULL DEFAULT 'full';
-- How often a person has sent it to the provider again.
ALTER TABLE refund ADD COLUMN attempt BIGINT NOT NULL DEFAULT 0;
DROP INDEX refund_payment;
CREATE UNIQUE INDEX refund_key ON refund (payment_sn, key);

-- The ledger. Amounts are signed and sum to zero in each transaction. Positive: what we owe or have earned (guests' funds, host's
-- share, commission, the counterpart of authorisations). Negative: what we hold or have spent (at a provider, its fees).
CREATE TABLE ledger_txn (
    -- Negative: an opening entry of a payment older than the ledger.
    id BIGINT NOT NULL PRIMARY KEY,
    -- authorise, release, capture, fee, refund, settle.
    kind TEXT NOT NULL,
    -- The payment's number; of a refund its own; of a settlement the order's and its key.
    ref TEXT NOT NULL,
    order_sn TEXT NOT NULL,
    payment_sn TEXT NOT NULL,
    -- Of a settlement; else 0.
    host_id BIGINT NOT NULL,
    currency TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX ledger_txn_ref ON ledger_txn (kind, ref);
CREATE INDEX ledger_txn_order ON ledger_txn (order_sn);
CREATE TABLE ledger_entry (
    txn_id BIGINT NOT NULL,
    line BIGINT NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_cents BIGINT NOT NULL CHECK (amount_cents <> 0),
    PRIMARY KEY (txn_id, line)
);

-- Opening entries, as the ledger would hold them had it been there.
INSERT INTO ledger_txn (id, kind, ref, order_sn, payment_sn, host_id, currency, at_ms)
    SELECT -4 * id, 'authorise', sn, order_sn, sn, 0, currency, created_at_ms FROM payment;
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT -4 * id, 1, 'authorised:' || provider, currency, -amount_cents FROM payment;
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT -4 * id, 2, 'authorised_contra', currency, amount_cents FROM payment;
INSERT INTO ledger_txn (id, kind, ref, order_sn, payment_sn, host_id, currency, at_ms)
    SELECT -4 * id - 1, 'release', sn, order_sn, sn, 0, currency, updated_at_ms FROM payment
    WHERE state IN ('failed', 'closed');
INSERT INTO ledger_txn (id, kind, ref, order_sn, payment_sn, host_id, currency, at_ms)
    SELECT -4 * id - 2, 'capture', sn, order_sn, sn, 0, currency, captured_at_ms FROM payment
    WHERE state IN ('captured', 'refund_pending', 'refunded');
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT t.id, 1, 'authorised:' || p.provider, p.currency, p.amount_cents
    FROM ledger_txn t JOIN payment p ON p.sn = t.ref WHERE t.kind IN ('release', 'capture');
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT t.id, 2, 'authorised_contra', p.currency, -p.amount_cents
    FROM ledger_txn t JOIN payment p ON p.sn = t.ref WHERE t.kind IN ('release', 'capture');
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT t.id, 3, 'provider:' || p.provider, p.currency, -p.amount_cents
    FROM ledger_txn t JOIN payment p ON p.sn = t.ref WHERE t.kind = 'capture';
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT t.id, 4, 'guest_funds', p.currency, p.amount_cents
    FROM ledger_txn t JOIN payment p ON p.sn = t.ref WHERE t.kind = 'capture';
INSERT INTO ledger_txn (id, kind, ref, order_sn, payment_sn, host_id, currency, at_ms)
    SELECT -4 * r.id - 3, 'refund', r.sn, p.order_sn, p.sn, 0, p.currency, r.updated_at_ms
    FROM refund r JOIN payment p ON p.sn = r.payment_sn WHERE r.state = 'succeeded';
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT -4 * r.id - 3, 1, 'guest_funds', p.currency, -r.amount_cents
    FROM refund r JOIN payment p ON p.sn = r.payment_sn WHERE r.state = 'succeeded';
INSERT INTO ledger_entry (txn_id, line, account, currency, amount_cents)
    SELECT -4 * r.id - 3, 2, 'provider:' || p.provider, p.currency, r.amount_cents
    FROM refund r JOIN payment p ON p.sn = r.payment_sn WHERE r.state = 'succeeded';

-- What needs a person.
CREATE TABLE pay_case (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    -- What it is about: one case a kind and ref.
    ref TEXT NOT NULL,
    order_sn TEXT NOT NULL,
    payment_sn TEXT NOT NULL,
    refund_sn TEXT NOT NULL,
    provider TEXT NOT NULL,
    amount_cents BIGINT NOT NULL,
    currency TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- open, resolved.
    state TEXT NOT NULL,
    opened_at_ms BIGINT NOT NULL,
    -- 0 and empty while open.
    resolved_at_ms BIGINT NOT NULL,
    resolved_by TEXT NOT NULL,
    resolution TEXT NOT NULL,
    action TEXT NOT NULL
);
CREATE UNIQUE INDEX pay_case_ref ON pay_case (kind, ref);
CREATE INDEX pay_case_open ON pay_case (kind, id) WHERE state = 'open';
-- Notes, and every end and new beginning of a case.
CREATE TABLE pay_case_note (
    id BIGINT NOT NULL PRIMARY KEY,
    case_id BIGINT NOT NULL,
    -- note, resolved, reopened.
    kind TEXT NOT NULL,
    author TEXT NOT NULL,
    body TEXT NOT NULL,
    action TEXT NOT NULL,
    -- The author's Idempotency-Key; empty without one.
    request_key TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX pay_case_note_case ON pay_case_note (case_id, id);
CREATE UNIQUE INDEX pay_case_note_key ON pay_case_note (author, request_key) WHERE request_key <> '';
INSERT INTO pay_case (id, kind, ref, order_sn, payment_sn, refund_sn, provider, amount_cents, currency, detail, state,
    opened_at_ms, resolved_at_ms, resolved_by, resolution, action)
    SELECT r.id, 'refund_refused', r.sn, p.order_sn, p.sn, r.sn, p.provider, r.amount_cents, p.currency, r.failure, 'open',
        r.updated_at_ms, 0, '', '', ''
    FROM refund r JOIN payment p ON p.sn = r.payment_sn WHERE r.state = 'failed';

-- What a sweep removes when it is old.
CREATE INDEX inbox_age ON inbox (received_at_ms);
CREATE INDEX payment_key_age ON payment_key (created_at_ms);

-- The sandbox's books hold several refunds a charge.
ALTER TABLE sandbox_charge ADD COLUMN refunded_cents BIGINT NOT NULL DEFAULT 0
    CHECK (refunded_cents BETWEEN 0 AND amount_cents);
CREATE TABLE sandbox_refund (
    -- The merchant's number.
    refund_sn TEXT NOT NULL PRIMARY KEY,
    payment_sn TEXT NOT NULL,
    amount_cents BIGINT NOT NULL,
    at_ms BIGINT NOT NULL
);
INSERT INTO sandbox_refund (refund_sn, payment_sn, amount_cents, at_ms)
    SELECT refund_key, payment_sn, amount_cents, refunded_at_ms FROM sandbox_charge WHERE state = 'refunded';
UPDATE sandbox_charge SET refunded_cents = amount_cents WHERE state = 'refunded';
