-- What Postgres does for one booking, with the texts and the transaction boundaries of the program: the house is read, the hold
-- is one statement and one commit (app/travel/rpc/src/store/hold_in_one.rs), the order is one statement and one commit
-- (app/order/rpc/src/store/booking.rs). Days are drawn from millions of years, so that nights are free.
--
--   pgbench -n -M prepared -c 16 -D houses=2000 -f deploy/bench/pgbench/create.sql
\set id random(1, 9000000000000000)
\set house random(1000000, 1000000 + :houses - 1)
\set day random(1000000, 900000000)

SELECT h.id, h.shop_id, h.host_id, h.title, h.sub_title, h.banner, h.info, h.people_num,
       h.row_state * COALESCE((SELECT s.row_state FROM homestay_travel.shop s WHERE s.id = h.shop_id), 0),
       h.row_type, h.food_info, h.food_cents, h.price_cents, h.market_cents, h.weekend_cents, h.city, h.time_zone,
       h.currency, h.units, h.meals_per_day, h.open_from, h.open_until, h.star_tenths, h.star_count, h.created_at_ms,
       h.min_nights, h.max_nights, h.buffer_days, h.arrival_weekdays, h.departure_weekdays, h.advance_min_days,
       h.advance_max_days, h.check_in_minute, h.seasons, h.discounts, h.policy,
       d.day, d.price_cents, d.blocked
FROM homestay_travel.house h
LEFT JOIN homestay_travel.house_day d
     ON d.house_id = h.id AND d.day >= CAST(:day AS BIGINT) AND d.day < CAST(:day AS BIGINT) + 2
WHERE h.id = CAST(:house AS BIGINT);

WITH f AS MATERIALIZED (
    SELECT COALESCE((SELECT u.unit FROM generate_series(CAST(1 AS BIGINT), CAST(1 AS BIGINT)) u(unit)
        WHERE u.unit NOT IN (SELECT x.unit FROM homestay_travel.night x WHERE x.house_id = CAST(:house AS BIGINT)
            AND x.day >= CAST(:day AS BIGINT) AND x.day < CAST(:day AS BIGINT) + 2)
        ORDER BY CASE WHEN u.unit < CAST(1 AS BIGINT) THEN 1 ELSE 0 END, u.unit LIMIT 1), 0) AS unit),
h AS (INSERT INTO homestay_travel.hold (hold_key, fingerprint, order_sn, attempt, house_id, shop_id, check_in, check_out,
        starts_at_ms, unit, meals, state, snapshot, quote, created_at_ms, buffer_days)
    SELECT 'bench' || CAST(:id AS BIGINT), repeat('f', 64), 'HSO' || CAST(:id AS BIGINT), 1, CAST(:house AS BIGINT), 1,
        CAST(:day AS BIGINT), CAST(:day AS BIGINT) + 2, 0, f.unit, 0, 'held', repeat('s', 1100), repeat('q', 400), 1, 0
    FROM f WHERE f.unit > 0 ON CONFLICT (hold_key) DO NOTHING RETURNING unit),
n AS (INSERT INTO homestay_travel.night (house_id, day, unit, order_sn, attempt)
    SELECT CAST(:house AS BIGINT), d.day, h.unit, 'HSO' || CAST(:id AS BIGINT), 1
    FROM h CROSS JOIN generate_series(CAST(:day AS BIGINT), CAST(:day AS BIGINT) + 1) d(day) ORDER BY d.day
    ON CONFLICT (house_id, day, unit) DO NOTHING RETURNING day)
SELECT f.unit, CASE WHEN EXISTS (SELECT 1 FROM h)
    THEN 1 / (CASE WHEN (SELECT COUNT(*) FROM n) = 2 THEN 1 ELSE 0 END) ELSE 0 END FROM f;

WITH c AS (INSERT INTO homestay_order.hold_claim (hold_key, order_sn)
    VALUES ('bench' || CAST(:id AS BIGINT), 'HSO' || CAST(:id AS BIGINT)) ON CONFLICT DO NOTHING RETURNING 1),
o AS (INSERT INTO homestay_order.orders (id, sn, hold_key, fingerprint, user_id, house_id, shop_id, host_id, title, sub_title,
        cover, info, people_num, row_type, food_info, food_cents, price_cents, market_cents, time_zone, check_in_day,
        check_out_day, guests, meals, remark, unit, attempt, currency, room_cents, meal_cents, total_cents, lines, state,
        created_at_ms, pay_before_ms, updated_at_ms, policy, check_in_minute, check_in_at_ms, trade_code, paid_at_ms)
    SELECT CAST(:id AS BIGINT), 'HSO' || CAST(:id AS BIGINT), 'bench' || CAST(:id AS BIGINT), repeat('f', 64), 1,
        CAST(:house AS BIGINT), 1, 1, repeat('t', 30), repeat('s', 40), repeat('c', 50), repeat('i', 200), 2, 0,
        repeat('f', 40), 3000, 30000, 36000, 'Asia/Shanghai', CAST(:day AS BIGINT), CAST(:day AS BIGINT) + 2, 1, 0, '', 1, 1,
        'CNY', 60000, 0, 60000, repeat('l', 200), 'awaiting_payment', 1, 9000000000000, 1, repeat('p', 80),
        900, 9000000000000, '', 0 FROM c),
s AS (INSERT INTO homestay_order.order_step (order_sn, seq, name, attempt, node, error, started_at_ms, ended_at_ms,
        undo_started_at_ms, undo_ended_at_ms)
    SELECT v.* FROM c CROSS JOIN (VALUES
        ('HSO' || CAST(:id AS BIGINT), CAST(11 AS BIGINT), 'Scheduling', CAST(1 AS BIGINT), 'order-rpc', '',
            CAST(1 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT)),
        ('HSO' || CAST(:id AS BIGINT), 12, 'Pre-Processing', 1, 'order-rpc', '', 1, 0, 0, 0)) v),
x AS (INSERT INTO homestay_order.outbox (id, lane, name, key, payload, due_at_ms, max_attempts, traceparent)
    SELECT v.* FROM c CROSS JOIN (VALUES
        (CAST(:id AS BIGINT) * 2, 'event', 'order-changed', 'HSO' || CAST(:id AS BIGINT), repeat('p', 120),
            CAST(0 AS BIGINT), CAST(0 AS BIGINT), repeat('0', 55)),
        (CAST(:id AS BIGINT) * 2 + 1, 'job', 'order.advance', 'order.close:' || CAST(:id AS BIGINT), repeat('p', 40),
            9000000000000, 1000, repeat('0', 55))) v)
SELECT COUNT(*) FROM c;
