-- The result of each step of a job that has ended, as JSON for later steps.
CREATE TABLE checkpoints (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (job_id, step)
) STRICT, WITHOUT ROWID;

-- Options of a download that have no column of their own, as a JSON object.
ALTER TABLE jobs ADD COLUMN more_options TEXT;

-- Placing and deleting files both look up planned files.
CREATE INDEX idx_files_on_their_way ON files (job_id, filename) WHERE temp_path IS NOT NULL;
