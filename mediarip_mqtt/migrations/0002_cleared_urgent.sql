-- Finished jobs that a person does not want to see in lists any more; they are kept.
ALTER TABLE jobs ADD COLUMN cleared_at TEXT;
CREATE INDEX idx_jobs_shown ON jobs (completed_at) WHERE completed_at IS NOT NULL AND cleared_at IS NULL;

-- Replies leave before events: somebody waits for them.
ALTER TABLE outbox ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idx_outbox_order ON outbox (urgent DESC, id);
