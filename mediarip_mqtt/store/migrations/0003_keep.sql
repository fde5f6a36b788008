-- Kept jobs: retention and `delete all` leave them and their files alone; a playlist as a whole.
ALTER TABLE jobs ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idx_jobs_kept ON jobs (parent_id, id) WHERE keep = 1;

-- A file belongs to one job: of those with its name the newest, which wrote the file that exists.
DELETE FROM files WHERE EXISTS (
    SELECT 1 FROM files AS newer WHERE newer.filename = files.filename AND newer.id > files.id
);
