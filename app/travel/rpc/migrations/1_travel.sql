-- Dates are day numbers (days since 1970-01-01) in the house's time zone, money is cents, stars are tenths.
CREATE TABLE shop (
    id BIGINT NOT NULL PRIMARY KEY,
    host_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    info TEXT NOT NULL,
    boss_info TEXT NOT NULL,
    tags TEXT NOT NULL,
    cover TEXT NOT NULL,
    header_img TEXT NOT NULL,
    -- 0 banned, 1 open.
    row_state BIGINT NOT NULL
);

CREATE TABLE house (
    id BIGINT NOT NULL PRIMARY KEY,
    shop_id BIGINT NOT NULL,
    host_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    sub_title TEXT NOT NULL,
    banner TEXT NOT NULL,
    info TEXT NOT NULL,
    people_num BIGINT NOT NULL,
    -- 0 off sale, 1 on sale.
    row_state BIGINT NOT NULL,
    -- 0 sold per room, 1 per person.
    row_type BIGINT NOT NULL,
    food_info TEXT NOT NULL,
    food_cents BIGINT NOT NULL,
    price_cents BIGINT NOT NULL,
    market_cents BIGINT NOT NULL,
    -- Friday and Saturday nights; 0 means price_cents.
    weekend_cents BIGINT NOT NULL,
    city TEXT NOT NULL,
    -- The city in lower case, for the search.
    city_key TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    currency TEXT NOT NULL,
    units BIGINT NOT NULL,
    meals_per_day BIGINT NOT NULL,
    -- Bookable nights are [open_from, open_until).
    open_from BIGINT NOT NULL,
    open_until BIGINT NOT NULL,
    -- Sum and number of the reviews' stars.
    star_tenths BIGINT NOT NULL,
    star_count BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE INDEX house_shop ON house (shop_id, id);
CREATE INDEX house_city ON house (city_key, id) WHERE row_state = 1;

-- What differs from the house's usual price and openness; most days have no row.
CREATE TABLE house_day (
    house_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    -- 0: the usual price.
    price_cents BIGINT NOT NULL,
    -- 1: not for sale.
    blocked BIGINT NOT NULL,
    PRIMARY KEY (house_id, day)
);

-- What the operator puts forward: kind 'recommended' (house ids) and 'good_host' (user ids), the lowest place first.
CREATE TABLE activity (
    kind TEXT NOT NULL,
    data_id BIGINT NOT NULL,
    place BIGINT NOT NULL,
    PRIMARY KEY (kind, data_id)
);
CREATE INDEX activity_place ON activity (kind, place, data_id);

CREATE TABLE review (
    id BIGINT NOT NULL PRIMARY KEY,
    house_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    content TEXT NOT NULL,
    star_tenths BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE INDEX review_house ON review (house_id, id);

-- Nights and meals taken for one attempt of an order. Released rows stay: their key must not be used again.
CREATE TABLE hold (
    hold_key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    order_sn TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    house_id BIGINT NOT NULL,
    shop_id BIGINT NOT NULL,
    check_in BIGINT NOT NULL,
    check_out BIGINT NOT NULL,
    -- Midnight of the check-in in the house's zone, unix milliseconds.
    starts_at_ms BIGINT NOT NULL,
    unit BIGINT NOT NULL,
    -- Meals taken on each day.
    meals BIGINT NOT NULL,
    -- held (nobody has confirmed the order yet), bound, released.
    state TEXT NOT NULL,
    -- House and quote as they were, JSON.
    snapshot TEXT NOT NULL,
    quote TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX hold_order ON hold (order_sn, attempt);
CREATE INDEX hold_open ON hold (created_at_ms, hold_key) WHERE state = 'held';
CREATE INDEX hold_shop ON hold (shop_id, starts_at_ms) WHERE state = 'bound';

-- A night of a unit is sold once: the primary key says so.
CREATE TABLE night (
    house_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    unit BIGINT NOT NULL,
    order_sn TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    PRIMARY KEY (house_id, day, unit)
);

CREATE TABLE meal_day (
    house_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    PRIMARY KEY (house_id, day)
);
