-- Options beyond the medium itself (JSON if more than one value), and which were unavailable.
ALTER TABLE jobs ADD COLUMN subtitles TEXT;
ALTER TABLE jobs ADD COLUMN sponsorblock TEXT;
ALTER TABLE jobs ADD COLUMN embed TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN split_chapters INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN rate_limit INTEGER;
ALTER TABLE jobs ADD COLUMN live_from_start INTEGER;
ALTER TABLE jobs ADD COLUMN warning TEXT;

-- The host of the URL: limits apply to sites.
ALTER TABLE jobs ADD COLUMN host TEXT;
UPDATE jobs SET host = lower(substr(url, instr(url, '://') + 3)) WHERE url LIKE 'http%://%';
UPDATE jobs SET host = substr(host, 1, instr(host || '/', '/') - 1);
UPDATE jobs SET host = substr(host, 1, instr(host || ':', ':') - 1);
