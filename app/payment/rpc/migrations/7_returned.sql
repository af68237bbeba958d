-- 0; 1: the money of a refund that had succeeded came back to us; 2: and was sent again.
ALTER TABLE refund ADD COLUMN returned BIGINT NOT NULL DEFAULT 0;
CREATE INDEX refund_sent_again ON refund (updated_at_ms) WHERE returned = 2;
