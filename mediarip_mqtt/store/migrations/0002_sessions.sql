-- When a finished job was cleared: it is hidden from lists, but not deleted.
ALTER TABLE jobs ADD COLUMN cleared_at TEXT;
CREATE INDEX idx_jobs_shown ON jobs (completed_at) WHERE completed_at IS NOT NULL AND cleared_at IS NULL;

-- Replies are sent before events: somebody waits for them.
ALTER TABLE outbox ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idx_outbox_order ON outbox (urgent DESC, id);

-- Counts by session and status.
DROP TRIGGER jobs_counted_insert;
DROP TRIGGER jobs_counted_delete;
DROP TRIGGER jobs_counted_update;
DROP TABLE job_counts;
CREATE TABLE job_counts (
    session_id TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (session_id, status)
) STRICT;
INSERT INTO job_counts (session_id, status, n)
SELECT session_id, status, count(*) FROM jobs GROUP BY session_id, status;
CREATE TRIGGER jobs_counted_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (session_id, status, n) VALUES (new.session_id, new.status, 1)
    ON CONFLICT (session_id, status) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET n = n - 1 WHERE session_id = old.session_id AND status = old.status;
END;
CREATE TRIGGER jobs_counted_update AFTER UPDATE OF status ON jobs
WHEN old.status <> new.status BEGIN
    UPDATE job_counts SET n = n - 1 WHERE session_id = old.session_id AND status = old.status;
    INSERT INTO job_counts (session_id, status, n) VALUES (new.session_id, new.status, 1)
    ON CONFLICT (session_id, status) DO UPDATE SET n = n + 1;
END;
CREATE INDEX idx_jobs_session_completed ON jobs (session_id, completed_at);
