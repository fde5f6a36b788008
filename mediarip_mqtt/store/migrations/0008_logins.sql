-- User names and passwords from the URLs of jobs and probes, sealed with the key beside the store.
CREATE TABLE logins (
    job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE probes ADD COLUMN login TEXT;
