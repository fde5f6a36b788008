-- What the playlist says of an item: its data for the item's name, and how yt-dlp reads the item.
CREATE TABLE playlist_entries (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    data TEXT NOT NULL
) STRICT, WITHOUT ROWID;
