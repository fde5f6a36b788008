-- The library: a finished file becomes a title, which outlives its job. Columns keep the names that
-- VLog (`videos`) and Engram (`DiscTitle`) gave them.

CREATE TABLE shows (
    id TEXT PRIMARY KEY,
    content_type TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL, -- for comparison: folded case, Unicode's composed form
    folder TEXT NOT NULL, -- never changes
    folder_key TEXT NOT NULL,
    extractor TEXT,
    channel_id TEXT,
    numbering TEXT NOT NULL DEFAULT 'date',
    year INTEGER,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_shows_folder ON shows (content_type, folder_key);
CREATE INDEX idx_shows_name ON shows (content_type, name_key);
CREATE INDEX idx_shows_channel ON shows (extractor, channel_id) WHERE channel_id IS NOT NULL;

CREATE TABLE categories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL CHECK (length(name) <= 200),
    slug TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE tags (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL CHECK (length(name) <= 200),
    slug TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE titles (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- the rowid of its words; grows with time
    id TEXT NOT NULL UNIQUE,
    job_id TEXT REFERENCES jobs (id) ON DELETE SET NULL,
    session_id TEXT NOT NULL,
    subscription_id TEXT,
    show_id TEXT REFERENCES shows (id),
    title_index INTEGER NOT NULL DEFAULT 0,
    content_type TEXT,
    state TEXT NOT NULL DEFAULT 'pending',
    title TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    detected_title TEXT,
    detected_season INTEGER,
    matched_episode TEXT,
    season INTEGER,
    episode INTEGER,
    artist TEXT,
    album TEXT,
    track INTEGER,
    year INTEGER,
    classification_source TEXT,
    classification_confidence REAL,
    candidates TEXT NOT NULL DEFAULT '[]',
    review_reason TEXT,
    review_until TEXT,
    extractor TEXT,
    source_id TEXT,
    channel TEXT,
    channel_id TEXT,
    duration REAL,
    filesize INTEGER,
    source_width INTEGER,
    source_height INTEGER,
    primary_codec TEXT,
    edition TEXT,
    is_extra INTEGER NOT NULL DEFAULT 0,
    organized_to TEXT,
    content_hash TEXT,
    category_id INTEGER REFERENCES categories (id) ON DELETE SET NULL,
    fields TEXT NOT NULL DEFAULT '{}', -- custom fields, as JSON
    has_chapters INTEGER NOT NULL DEFAULT 0,
    thumbnail_source TEXT,
    published_at TEXT,
    created_at TEXT NOT NULL,
    watched_at TEXT,
    deleted_at TEXT,
    missing_since TEXT,
    cleared_at TEXT,
    keep INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX idx_titles_episode ON titles (show_id, season, episode, title_index)
WHERE season IS NOT NULL AND state IN ('matched', 'organizing', 'completed', 'missing');
CREATE INDEX idx_titles_source ON titles (extractor, source_id);
CREATE INDEX idx_titles_job ON titles (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX idx_titles_show ON titles (show_id, number);
CREATE INDEX idx_titles_type ON titles (content_type, number);
CREATE INDEX idx_titles_state ON titles (state, number);
CREATE INDEX idx_titles_category ON titles (category_id) WHERE category_id IS NOT NULL;
CREATE INDEX idx_titles_size ON titles (filesize) WHERE filesize IS NOT NULL;
CREATE INDEX idx_titles_review ON titles (review_until) WHERE state = 'review';

CREATE TABLE title_tags (
    title_id TEXT NOT NULL REFERENCES titles (id) ON DELETE CASCADE,
    tag_id INTEGER NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (title_id, tag_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_title_tags_tag ON title_tags (tag_id);

CREATE TABLE chapters (
    id INTEGER PRIMARY KEY,
    title_id TEXT NOT NULL REFERENCES titles (id) ON DELETE CASCADE,
    title TEXT NOT NULL CHECK (length(title) <= 255),
    description TEXT,
    start_time REAL NOT NULL CHECK (start_time >= 0),
    end_time REAL CHECK (end_time IS NULL OR end_time > start_time),
    position INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_chapters_title ON chapters (title_id, position);

-- Answers of reviews that are used again: what is from this channel is this.
CREATE TABLE library_rules (
    id INTEGER PRIMARY KEY,
    extractor TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    content_type TEXT NOT NULL,
    show TEXT,
    numbering TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (extractor, channel_id)
) STRICT;

-- The number and bytes of titles, maintained by triggers, as `job_counts`.
CREATE TABLE title_counts (
    session_id TEXT NOT NULL,
    state TEXT NOT NULL,
    content_type TEXT NOT NULL,
    n INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (session_id, state, content_type)
) STRICT;
CREATE TRIGGER titles_counted_insert AFTER INSERT ON titles BEGIN
    INSERT INTO title_counts (session_id, state, content_type, n, bytes)
    VALUES (new.session_id, new.state, ifnull(new.content_type, ''), 1, ifnull(new.filesize, 0))
    ON CONFLICT (session_id, state, content_type)
    DO UPDATE SET n = n + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER titles_counted_delete AFTER DELETE ON titles BEGIN
    UPDATE title_counts SET n = n - 1, bytes = bytes - ifnull(old.filesize, 0)
    WHERE session_id = old.session_id AND state = old.state
    AND content_type = ifnull(old.content_type, '');
    DELETE FROM title_counts WHERE n = 0;
END;
CREATE TRIGGER titles_counted_update AFTER UPDATE OF state, content_type, filesize ON titles BEGIN
    UPDATE title_counts SET n = n - 1, bytes = bytes - ifnull(old.filesize, 0)
    WHERE session_id = old.session_id AND state = old.state
    AND content_type = ifnull(old.content_type, '');
    INSERT INTO title_counts (session_id, state, content_type, n, bytes)
    VALUES (new.session_id, new.state, ifnull(new.content_type, ''), 1, ifnull(new.filesize, 0))
    ON CONFLICT (session_id, state, content_type)
    DO UPDATE SET n = n + 1, bytes = bytes + excluded.bytes;
    DELETE FROM title_counts WHERE n = 0;
END;

-- The words of titles, for search; the rowid is the title's number.
CREATE VIRTUAL TABLE title_words USING fts5 (
    title, show, description, transcript, tokenize = "unicode61 remove_diacritics 2", prefix = "3 4"
);
CREATE TRIGGER titles_words_insert AFTER INSERT ON titles BEGIN
    INSERT INTO title_words (rowid, title, show, description, transcript) VALUES (
        new.number, new.title,
        ifnull((SELECT name FROM shows WHERE id = new.show_id), ''), new.description, ''
    );
END;
CREATE TRIGGER titles_words_update AFTER UPDATE OF title, show_id, description ON titles
WHEN old.title IS NOT new.title OR old.show_id IS NOT new.show_id
    OR old.description IS NOT new.description
BEGIN
    UPDATE title_words SET title = new.title,
        show = ifnull((SELECT name FROM shows WHERE id = new.show_id), ''),
        description = new.description
    WHERE rowid = new.number;
END;
CREATE TRIGGER titles_words_delete AFTER DELETE ON titles BEGIN
    DELETE FROM title_words WHERE rowid = old.number;
END;
CREATE TRIGGER shows_words_update AFTER UPDATE OF name ON shows WHEN old.name <> new.name BEGIN
    UPDATE title_words SET show = new.name
    WHERE rowid IN (SELECT number FROM titles WHERE show_id = new.id);
END;

-- What `job/<id>/state` says of the job's title.
ALTER TABLE jobs ADD COLUMN title_id TEXT;
ALTER TABLE jobs ADD COLUMN content_type TEXT;
ALTER TABLE jobs ADD COLUMN show TEXT;
ALTER TABLE jobs ADD COLUMN season INTEGER;
ALTER TABLE jobs ADD COLUMN episode INTEGER;
ALTER TABLE jobs ADD COLUMN confidence REAL;
ALTER TABLE jobs ADD COLUMN review_reason TEXT;

-- A file belongs to a job, a title, or both; a title's files stay when the job is deleted.
-- `move_to` is the name below the root that a file in its place gets next.
CREATE TABLE files_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT REFERENCES jobs (id) ON DELETE CASCADE,
    title_id TEXT REFERENCES titles (id) ON DELETE CASCADE,
    filename TEXT NOT NULL,
    filesize INTEGER NOT NULL,
    temp_path TEXT, -- NULL once it is in its place
    main INTEGER NOT NULL DEFAULT 0,
    role TEXT NOT NULL DEFAULT 'main',
    identity TEXT NOT NULL DEFAULT '',
    move_to TEXT,
    CHECK (job_id IS NOT NULL OR title_id IS NOT NULL)
) STRICT;
INSERT INTO files_new (id, job_id, filename, filesize, temp_path, main, role, identity)
SELECT id, job_id, filename, filesize, temp_path, main,
    CASE
        WHEN main THEN 'main'
        WHEN filename GLOB '*.srt' OR filename GLOB '*.vtt' OR filename GLOB '*.ass'
            OR filename GLOB '*.lrc' OR filename GLOB '*.ttml' OR filename GLOB '*.json3'
            OR filename GLOB '*.srv[123]' THEN 'subtitle'
        ELSE 'part'
    END,
    identity
FROM files;
DROP TABLE files;
ALTER TABLE files_new RENAME TO files;
CREATE INDEX idx_files_job ON files (job_id);
CREATE INDEX idx_files_title ON files (title_id) WHERE title_id IS NOT NULL;
CREATE INDEX idx_files_filename ON files (filename);
CREATE INDEX idx_files_on_their_way ON files (job_id, filename) WHERE temp_path IS NOT NULL;
CREATE INDEX idx_files_to_move ON files (title_id) WHERE move_to IS NOT NULL;
CREATE TRIGGER jobs_leave_files BEFORE DELETE ON jobs BEGIN
    UPDATE files SET job_id = NULL WHERE job_id = old.id AND title_id IS NOT NULL;
END;
