-- Finished jobs that a person does not want to see in lists any more; they are kept.
ALTER TABLE jobs ADD COLUMN cleared_at TEXT;
CREATE INDEX idx_jobs_shown ON jobs (completed_at) WHERE completed_at IS NOT NULL AND cleared_at IS NULL;
