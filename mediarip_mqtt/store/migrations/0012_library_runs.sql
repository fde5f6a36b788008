-- Work on many titles that goes on after a restart: `organize all` and `adopt`.
CREATE TABLE library_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, -- organize, adopt
    session_id TEXT NOT NULL, -- who asked for it
    scope TEXT, -- the only session whose titles are meant; NULL: all
    folder TEXT NOT NULL DEFAULT '', -- of `adopt`
    position TEXT NOT NULL DEFAULT '', -- the last item that is done
    total INTEGER,
    checked INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    started_at TEXT NOT NULL,
    UNIQUE (kind, session_id, folder)
) STRICT;

-- What another program has downloaded, as its archive says: known, without a file or a title.
CREATE TABLE known_media (
    extractor TEXT NOT NULL, -- in small letters
    source_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (extractor, source_id, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_titles_known ON titles (lower(extractor), source_id);
