-- When a house is sold and for how much. The defaults are a house without rules.
ALTER TABLE house ADD COLUMN min_nights BIGINT NOT NULL DEFAULT 0;
ALTER TABLE house ADD COLUMN max_nights BIGINT NOT NULL DEFAULT 0;
-- Nights after a stay that nobody can take.
ALTER TABLE house ADD COLUMN buffer_days BIGINT NOT NULL DEFAULT 0;
-- Monday is bit 0.
ALTER TABLE house ADD COLUMN arrival_weekdays BIGINT NOT NULL DEFAULT 127;
ALTER TABLE house ADD COLUMN departure_weekdays BIGINT NOT NULL DEFAULT 127;
ALTER TABLE house ADD COLUMN advance_min_days BIGINT NOT NULL DEFAULT 0;
ALTER TABLE house ADD COLUMN advance_max_days BIGINT NOT NULL DEFAULT 0;
-- Minutes after local midnight.
ALTER TABLE house ADD COLUMN check_in_minute BIGINT NOT NULL DEFAULT 900;
-- JSON; empty: none.
ALTER TABLE house ADD COLUMN seasons TEXT NOT NULL DEFAULT '';
ALTER TABLE house ADD COLUMN discounts TEXT NOT NULL DEFAULT '';
ALTER TABLE house ADD COLUMN policy TEXT NOT NULL DEFAULT '';

-- Nights after check_out that this hold has taken too.
ALTER TABLE hold ADD COLUMN buffer_days BIGINT NOT NULL DEFAULT 0;

-- Nights the owner keeps: rows of table night under order_sn 'block:<id>', so that a block and a booking exclude each other
-- by the same key.
CREATE TABLE owner_block (
    id BIGINT NOT NULL PRIMARY KEY,
    house_id BIGINT NOT NULL,
    unit BIGINT NOT NULL,
    -- Day numbers [first_day, until_day).
    first_day BIGINT NOT NULL,
    until_day BIGINT NOT NULL,
    note TEXT NOT NULL,
    created_by BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE INDEX owner_block_house ON owner_block (house_id, first_day, id);
