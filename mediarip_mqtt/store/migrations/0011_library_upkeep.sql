-- Retention by rules for a playlist, what a media player says is played, the end of the archive.
ALTER TABLE titles ADD COLUMN playlist TEXT;
CREATE INDEX idx_titles_slug ON titles (slug);
CREATE INDEX idx_titles_archived ON titles (deleted_at) WHERE state = 'archived';
