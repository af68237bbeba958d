-- What must hold once nothing is under way, asked of Postgres alone. One row a finding; none: all is well.
--
--   psql -XtA -F ' | ' -v ON_ERROR_STOP=1 "$ADMIN_URL" -f deploy/bench/check.sql
SET search_path = pg_catalog;

-- 1. Orders have their nights, and nobody else has any.
SELECT 'order without all its nights', o.sn
FROM homestay_order.orders o
WHERE o.state IN ('awaiting_payment', 'confirmed')
  AND o.check_out_day - o.check_in_day <> (
      SELECT count(*) FROM homestay_travel.night n
      WHERE n.order_sn = o.sn AND n.attempt = o.attempt AND n.house_id = o.house_id AND n.unit = o.unit
        AND n.day >= o.check_in_day AND n.day < o.check_out_day)
UNION ALL
SELECT 'nights that no order has', n.order_sn || ' attempt ' || n.attempt
FROM homestay_travel.night n
LEFT JOIN homestay_order.orders o ON o.sn = n.order_sn AND o.attempt = n.attempt
WHERE o.sn IS NULL OR o.state NOT IN ('awaiting_payment', 'confirmed')
GROUP BY n.order_sn, n.attempt
UNION ALL
SELECT 'hold that no order has claimed', h.order_sn || ' attempt ' || h.attempt
FROM homestay_travel.hold h
WHERE h.state = 'held'
UNION ALL
SELECT 'nights of an ended order not given back', o.sn
FROM homestay_order.orders o
WHERE o.state IN ('cancelled', 'refunded') AND o.released_at_ms = 0
UNION ALL
SELECT 'meals that are not those of the holds', m.house_id || ' day ' || m.day || ': ' || m.taken
FROM homestay_travel.meal_day m
WHERE m.taken <> (
      -- An order that is being changed has two holds, and the meals of the larger one.
      SELECT coalesce(sum(o.meals), 0) FROM (
          SELECT max(h.meals) AS meals FROM homestay_travel.hold h
          WHERE h.house_id = m.house_id AND h.check_in <= m.day AND h.check_out > m.day AND h.state IN ('held', 'bound')
          GROUP BY h.order_sn) o)

-- 2. No night is sold twice: neither in travel's table nor by what the orders say.
UNION ALL
SELECT 'night sold twice', n.house_id || ' day ' || n.day || ' unit ' || n.unit
FROM homestay_travel.night n
GROUP BY n.house_id, n.day, n.unit
HAVING count(*) > 1
UNION ALL
SELECT 'stays overlap', a.sn || ' and ' || b.sn
FROM homestay_order.orders a
JOIN homestay_order.orders b ON b.house_id = a.house_id AND b.unit = a.unit AND b.sn > a.sn
     AND b.check_in_day < a.check_out_day AND a.check_in_day < b.check_out_day
WHERE a.state IN ('awaiting_payment', 'confirmed') AND b.state IN ('awaiting_payment', 'confirmed')
UNION ALL
SELECT 'two orders of one hold', o.hold_key
FROM homestay_order.orders o
GROUP BY o.hold_key
HAVING count(*) > 1

-- 3. Every captured cent is a confirmed stay or a refund.
UNION ALL
SELECT 'captured money without its paid order', p.sn || ' for ' || p.order_sn
FROM homestay_payment.payment p
LEFT JOIN homestay_order.orders o
     ON o.sn = p.order_sn AND o.payment_sn = p.sn AND o.state = 'confirmed' AND o.total_cents = p.amount_cents
WHERE p.state = 'captured' AND o.sn IS NULL
UNION ALL
SELECT 'paid order without captured money', o.sn
FROM homestay_order.orders o
LEFT JOIN homestay_payment.payment p ON p.sn = o.payment_sn AND p.order_sn = o.sn
WHERE o.state = 'confirmed' AND (p.sn IS NULL OR p.state <> 'captured')
UNION ALL
SELECT 'refunded order whose money is not back', o.sn
FROM homestay_order.orders o
LEFT JOIN homestay_payment.payment p ON p.sn = o.payment_sn
WHERE o.state = 'refunded' AND (p.sn IS NULL OR p.state <> 'refunded' OR p.refunded_cents <> p.amount_cents)
UNION ALL
SELECT 'refund under way', r.sn || ' of ' || r.payment_sn
FROM homestay_payment.refund r
WHERE r.state <> 'succeeded'
UNION ALL
SELECT 'order waits for its refund', o.sn
FROM homestay_order.orders o
WHERE o.state = 'refund_pending'
UNION ALL
SELECT 'payment waits for its refund', p.sn
FROM homestay_payment.payment p
WHERE p.state = 'refund_pending'
UNION ALL
SELECT 'captured at the provider, unknown to us', c.payment_sn
FROM homestay_payment.sandbox_charge c
JOIN homestay_payment.payment p ON p.sn = c.payment_sn
WHERE c.state IN ('captured', 'late') AND p.state NOT IN ('captured', 'refund_pending', 'refunded', 'disputed')
UNION ALL
SELECT 'two live payments of one order', p.order_sn
FROM homestay_payment.payment p
WHERE p.live = 1
GROUP BY p.order_sn
HAVING count(*) > 1

-- 4. Nothing is left on the way. Repeating jobs may fall due at any moment; they have a few seconds.
UNION ALL
SELECT 'outbox of order', x.lane || ' ' || x.name FROM homestay_order.outbox x
UNION ALL
SELECT 'outbox of payment', x.lane || ' ' || x.name FROM homestay_payment.outbox x
UNION ALL
SELECT 'job that is due and not done', j.kind || ' ' || j.last_error
FROM homestay_mqueue.job j
WHERE j.state < 2 AND j.due_at_ms < extract(epoch FROM clock_timestamp()) * 1000 - 5000
UNION ALL
SELECT 'event that waits as a job', j.kind || ' ' || j.last_error
FROM homestay_mqueue.job j
WHERE j.state < 2 AND j.kind LIKE '%.event:%'
UNION ALL
SELECT 'dead letter', j.kind || ' ' || j.last_error
FROM homestay_mqueue.job j
WHERE j.state = 3;
