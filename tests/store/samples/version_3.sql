BEGIN TRANSACTION;
CREATE TABLE config (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
INSERT INTO "config" VALUES('preferences/max_concurrent','3','2026-01-02T03:04:05.678Z');
CREATE TABLE deliveries (
    mid INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    reply TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO "deliveries" VALUES(7,'abc','{"ok": true}','2026-01-02T03:04:05.678Z');
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
INSERT INTO "error_log" VALUES(1,'https://example.com/e','example.com','why','network','137','video','default','item','2026-01-02T03:04:05.678Z');
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    filename TEXT NOT NULL,
    filesize INTEGER NOT NULL,
    temp_path TEXT, -- NULL once it is in its place
    main INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO "files" VALUES(1,'done','a.mp3',10,NULL,1);
INSERT INTO "files" VALUES(2,'done','b.mp3',10,'tmp/done/b.mp3',1);
CREATE TABLE job_counts (
    session_id TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (session_id, status)
) STRICT;
INSERT INTO "job_counts" VALUES('default','completed',1);
INSERT INTO "job_counts" VALUES('default','downloading',1);
INSERT INTO "job_counts" VALUES('default','failed',1);
INSERT INTO "job_counts" VALUES('bob','queued',1);
INSERT INTO "job_counts" VALUES('default','retrying',1);
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
, cleared_at TEXT, keep INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "jobs" VALUES('done','default','https://WWW.example.com:8443/done?a=b','completed','Ein Füllwort 🎬','https://example.com/a.jpg',1.5,'Generic','audio','137+140','720p','music','mp3','%(title)s.%(ext)s','music','1:5','a.mp3',10,40.0,NULL,NULL,NULL,0,NULL,NULL,1,0,3,NULL,NULL,NULL,NULL,NULL,NULL,0,'films','["a", "ü"]','2026-01-02T03:04:05.678Z',NULL,'2026-01-02T03:04:05.678Z','r1',NULL,1);
INSERT INTO "jobs" VALUES('list','default','https://WWW.example.com:8443/list?a=b','downloading',NULL,NULL,NULL,NULL,'video',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,40.0,NULL,NULL,NULL,0,NULL,NULL,1,0,3,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,'[]','2026-01-02T03:04:05.678Z',NULL,NULL,NULL,NULL,0);
INSERT INTO "jobs" VALUES('item','default','https://WWW.example.com:8443/item?a=b','failed',NULL,NULL,NULL,NULL,'video',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,40.0,NULL,NULL,NULL,0,NULL,NULL,1,0,3,NULL,NULL,'network','why','list',NULL,0,NULL,'[]','2026-01-02T03:04:05.678Z',NULL,'2026-01-02T03:04:05.678Z',NULL,NULL,0);
INSERT INTO "jobs" VALUES('next','bob','https://WWW.example.com:8443/next?a=b','queued',NULL,NULL,NULL,NULL,'video',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,40.0,NULL,NULL,NULL,0,NULL,NULL,0,0,3,NULL,'2026-01-02T03:04:05.678Z',NULL,NULL,NULL,NULL,0,NULL,'[]','2026-01-02T03:04:05.678Z',NULL,NULL,NULL,NULL,0);
INSERT INTO "jobs" VALUES('again','default','https://WWW.example.com:8443/again?a=b','retrying',NULL,NULL,NULL,NULL,'video',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,40.0,NULL,NULL,NULL,0,NULL,NULL,1,1,5,'2026-01-02T03:04:05.678Z',NULL,NULL,NULL,NULL,NULL,0,NULL,'[]','2026-01-02T03:04:05.678Z',NULL,NULL,NULL,NULL,0);
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL
) STRICT;
INSERT INTO "lease" VALUES(1,'me','nas','boot','2026-01-02T03:04:05.678Z');
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    correlation BLOB,
    created_at TEXT NOT NULL
, urgent INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "outbox" VALUES(1,'mediarip/event','{}',X'00FF','2026-01-02T03:04:05.678Z',1);
CREATE TABLE probes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    session_id TEXT NOT NULL,
    request_id TEXT,
    response_topic TEXT,
    correlation BLOB,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO "probes" VALUES(1,'https://example.com/p','default','r2','a/reply',X'00FF','2026-01-02T03:04:05.678Z');
CREATE TABLE requests (
    session_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    reply TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (session_id, request_id)
) STRICT;
INSERT INTO "requests" VALUES('default','r1','{"ok": true}','2026-01-02T03:04:05.678Z');
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    last_seen TEXT NOT NULL
) STRICT;
INSERT INTO "sessions" VALUES('default','2026-01-02T03:04:05.678Z','2026-01-02T03:04:05.678Z');
INSERT INTO "sessions" VALUES('bob','2026-01-02T03:04:05.678Z','2026-01-02T03:04:05.678Z');
CREATE TABLE unsupported_urls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    session_id TEXT,
    error TEXT,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO "unsupported_urls" VALUES(1,'https://example.com/u','bob','why','2026-01-02T03:04:05.678Z');
CREATE INDEX idx_sessions_last_seen ON sessions (last_seen);
CREATE INDEX idx_jobs_session_status ON jobs (session_id, status);
CREATE INDEX idx_jobs_completed ON jobs (completed_at);
CREATE INDEX idx_jobs_queue ON jobs (status, priority, created_at, id);
CREATE INDEX idx_jobs_status_completed ON jobs (status, completed_at);
CREATE INDEX idx_jobs_created ON jobs (created_at, id);
CREATE INDEX idx_jobs_parent ON jobs (parent_id, status) WHERE parent_id IS NOT NULL;
CREATE INDEX idx_jobs_url ON jobs (url);
CREATE INDEX idx_files_job ON files (job_id);
CREATE INDEX idx_files_filename ON files (filename);
CREATE INDEX idx_requests_created ON requests (created_at);
CREATE INDEX idx_jobs_shown ON jobs (completed_at) WHERE completed_at IS NOT NULL AND cleared_at IS NULL;
CREATE INDEX idx_outbox_order ON outbox (urgent DESC, id);
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
CREATE INDEX idx_jobs_kept ON jobs (parent_id, id) WHERE keep = 1;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('files',2);
INSERT INTO "sqlite_sequence" VALUES('unsupported_urls',1);
INSERT INTO "sqlite_sequence" VALUES('error_log',1);
INSERT INTO "sqlite_sequence" VALUES('probes',1);
INSERT INTO "sqlite_sequence" VALUES('outbox',1);
COMMIT;
PRAGMA user_version=3;
