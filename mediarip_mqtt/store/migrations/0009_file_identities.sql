-- The inode and time of a placed file: another file in its place is not the job's.
ALTER TABLE files ADD COLUMN identity TEXT NOT NULL DEFAULT '';
