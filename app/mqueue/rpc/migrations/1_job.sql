-- A job exists from its enqueueing until it is done or dead, and some time longer so that its unique key holds.
CREATE TABLE job (
    id BIGINT NOT NULL PRIMARY KEY,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    -- NULL: none.
    unique_key TEXT,
    -- 0 ready, 1 running, 2 done, 3 dead.
    state BIGINT NOT NULL,
    -- When the job is to run: as enqueued, or after the last failure's backoff.
    due_at_ms BIGINT NOT NULL,
    -- When somebody must look at an open job next: its due time, or the end of its lease.
    next_at_ms BIGINT NOT NULL,
    -- Claims so far, those that were handed back not counted.
    attempt BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    -- Fencing token: one more at each claim.
    token BIGINT NOT NULL,
    -- Who holds or held the lease.
    worker TEXT NOT NULL,
    last_error TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    -- 0: not ended.
    finished_at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX job_unique_key ON job (unique_key);
CREATE INDEX job_open ON job (queue, next_at_ms, id) WHERE state < 2;
CREATE INDEX job_running ON job (worker) WHERE state = 1;
CREATE INDEX job_done ON job (finished_at_ms) WHERE state = 2;
CREATE INDEX job_dead ON job (queue, id) WHERE state = 3;
