-- What the sweep looks for: paid orders of which guest or host is not known to be told. Small, whatever the table grows to.
CREATE INDEX order_step_telling ON order_step (started_at_ms)
    WHERE name = 'Post-Processing' AND ended_at_ms = 0 AND undo_started_at_ms = 0;
