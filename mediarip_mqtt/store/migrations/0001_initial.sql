-- Times are ISO 8601 UTC texts, sizes bytes, speeds bytes per second, durations and ETAs seconds.

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    last_seen TEXT NOT NULL
) STRICT;
CREATE INDEX idx_sessions_last_seen ON sessions (last_seen);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id),
    url TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    title TEXT,
    thumbnail TEXT,
    duration REAL,
    extractor TEXT,
    media_type TEXT NOT NULL DEFAULT 'video',
    format_id TEXT,
    quality TEXT,
    preset TEXT,
    output_format TEXT,
    output_template TEXT,
    folder TEXT,
    playlist_items TEXT,
    filename TEXT,
    filesize INTEGER,
    progress_percent REAL NOT NULL DEFAULT 0,
    speed REAL,
    eta REAL,
    phase TEXT,
    downloaded_bytes INTEGER NOT NULL DEFAULT 0,
    total_bytes INTEGER,
    progress_at TEXT,
    priority INTEGER NOT NULL DEFAULT 1, -- 0 high, 1 normal, 2 low
    attempt INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL DEFAULT 3,
    next_retry_at TEXT,
    not_before TEXT,
    error_code TEXT,
    error_message TEXT,
    parent_id TEXT REFERENCES jobs (id) ON DELETE CASCADE,
    playlist_index INTEGER,
    is_playlist INTEGER NOT NULL DEFAULT 0,
    category TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    created_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT,
    request_id TEXT
) STRICT;
CREATE INDEX idx_jobs_session_status ON jobs (session_id, status);
CREATE INDEX idx_jobs_completed ON jobs (completed_at);
CREATE INDEX idx_jobs_queue ON jobs (status, priority, created_at, id);
CREATE INDEX idx_jobs_status_completed ON jobs (status, completed_at);
CREATE INDEX idx_jobs_created ON jobs (created_at, id);
CREATE INDEX idx_jobs_parent ON jobs (parent_id, status) WHERE parent_id IS NOT NULL;
CREATE INDEX idx_jobs_url ON jobs (url);

-- The number of jobs by status, maintained by triggers: reading it does not depend on the history.
CREATE TABLE job_counts (
    status TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT;
CREATE TRIGGER jobs_counted_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (status, n) VALUES (new.status, 1)
    ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET n = n - 1 WHERE status = old.status;
END;
CREATE TRIGGER jobs_counted_update AFTER UPDATE OF status ON jobs
WHEN old.status <> new.status BEGIN
    UPDATE job_counts SET n = n - 1 WHERE status = old.status;
    INSERT INTO job_counts (status, n) VALUES (new.status, 1)
    ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;

-- The files of a job: committed with their final names before they are moved.
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    filename TEXT NOT NULL,
    filesize INTEGER NOT NULL,
    temp_path TEXT, -- NULL once it is in its place
    main INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX idx_files_job ON files (job_id);
CREATE INDEX idx_files_filename ON files (filename);

CREATE TABLE config (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE unsupported_urls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    session_id TEXT,
    error TEXT,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE error_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    domain TEXT,
    error TEXT,
    error_code TEXT,
    format_id TEXT,
    media_type TEXT,
    session_id TEXT,
    job_id TEXT,
    created_at TEXT NOT NULL
) STRICT;

-- Replies to request ids, and to messages that the broker may deliver again.
CREATE TABLE requests (
    session_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    reply TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (session_id, request_id)
) STRICT;
CREATE INDEX idx_requests_created ON requests (created_at);
CREATE TABLE deliveries (
    mid INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    reply TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- Probes that were accepted and not answered yet.
CREATE TABLE probes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    session_id TEXT NOT NULL,
    request_id TEXT,
    response_topic TEXT,
    correlation BLOB,
    created_at TEXT NOT NULL
) STRICT;

-- Events and replies to send; a row is deleted when the broker has acknowledged it.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    correlation BLOB,
    created_at TEXT NOT NULL
) STRICT;

-- The one service that owns this store.
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL
) STRICT;
