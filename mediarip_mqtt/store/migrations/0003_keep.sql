-- Jobs that retention and `delete all` leave alone, with their files; of a playlist the whole.
ALTER TABLE jobs ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idx_jobs_kept ON jobs (parent_id, id) WHERE keep = 1;

-- A file has one owner: of several jobs with the same name the newest, whose file is there.
DELETE FROM files WHERE EXISTS (
    SELECT 1 FROM files AS newer WHERE newer.filename = files.filename AND newer.id > files.id
);
