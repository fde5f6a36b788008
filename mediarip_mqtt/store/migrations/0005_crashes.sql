-- How often the process crashed while it read this job's page.
ALTER TABLE jobs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idx_jobs_crashes ON jobs (completed_at, status) WHERE crashes > 0;

-- Counts of zero are deleted: each session would leave rows behind.
DELETE FROM job_counts WHERE n = 0;
DROP TRIGGER jobs_counted_delete;
DROP TRIGGER jobs_counted_update;
CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET n = n - 1 WHERE session_id = old.session_id AND status = old.status;
    DELETE FROM job_counts WHERE session_id = old.session_id AND status = old.status AND n = 0;
END;
CREATE TRIGGER jobs_counted_update AFTER UPDATE OF status ON jobs
WHEN old.status <> new.status BEGIN
    UPDATE job_counts SET n = n - 1 WHERE session_id = old.session_id AND status = old.status;
    DELETE FROM job_counts WHERE session_id = old.session_id AND status = old.status AND n = 0;
    INSERT INTO job_counts (session_id, status, n) VALUES (new.session_id, new.status, 1)
    ON CONFLICT (session_id, status) DO UPDATE SET n = n + 1;
END;
