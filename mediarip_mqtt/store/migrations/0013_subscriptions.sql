-- Subscriptions: channels, playlists, feeds and searches that are followed, and all items seen there.

CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    url TEXT NOT NULL,
    login TEXT, -- sealed
    name TEXT NOT NULL,
    declared TEXT, -- its name in the configuration file
    kind TEXT NOT NULL DEFAULT 'list',
    extractor TEXT,
    channel_id TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    interval TEXT NOT NULL DEFAULT 'auto',
    backfill TEXT NOT NULL DEFAULT '0',
    sort TEXT NOT NULL DEFAULT 'newest',
    title_match TEXT,
    title_exclude TEXT,
    duration_min INTEGER,
    duration_max INTEGER,
    date_after TEXT,
    shorts TEXT NOT NULL DEFAULT 'include',
    live TEXT NOT NULL DEFAULT 'include',
    members TEXT NOT NULL DEFAULT 'exclude',
    wanted TEXT NOT NULL DEFAULT '{}', -- options of `download`, as JSON
    library TEXT, -- content_type, show, numbering, as JSON
    keep_last INTEGER,
    keep_days INTEGER,
    keep_days_by TEXT NOT NULL DEFAULT 'downloaded',
    after_watched_days INTEGER,
    on_removed TEXT NOT NULL DEFAULT 'keep',
    last_new TEXT,
    last_new_at TEXT,
    last_checked_at TEXT,
    next_check_at TEXT,
    check_method TEXT,
    feed_url TEXT,
    feed_again_at TEXT, -- the feed failed: only the list is read until then
    etag TEXT,
    last_modified TEXT,
    listed_at TEXT, -- when the list was read last
    listed_count INTEGER, -- how many items its last whole reading had
    shrunk INTEGER NOT NULL DEFAULT 0, -- readings in a row with far fewer items
    failures INTEGER NOT NULL DEFAULT 0,
    not_found INTEGER NOT NULL DEFAULT 0, -- failures in a row that say it does not exist
    not_found_since TEXT,
    error_code TEXT,
    error_message TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_subscriptions_url ON subscriptions (url, session_id);
CREATE INDEX idx_subscriptions_due ON subscriptions (next_check_at) WHERE enabled = 1;
CREATE UNIQUE INDEX idx_subscriptions_declared ON subscriptions (declared)
WHERE declared IS NOT NULL;

CREATE TABLE subscription_items (
    subscription_id TEXT NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    item_key TEXT NOT NULL,
    rank INTEGER NOT NULL, -- grows with newness
    url TEXT NOT NULL,
    title TEXT,
    duration REAL,
    published_at TEXT,
    live_status TEXT,
    availability TEXT,
    first_seen_at TEXT NOT NULL,
    absent_since TEXT, -- of the first whole list without it
    gone_at TEXT, -- of the second one
    state TEXT NOT NULL,
    reason TEXT,
    job_id TEXT REFERENCES jobs (id) ON DELETE SET NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_at TEXT,
    done_at TEXT,
    PRIMARY KEY (subscription_id, item_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_subscription_items_state ON subscription_items (subscription_id, state, rank);
CREATE INDEX idx_subscription_items_job ON subscription_items (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX idx_subscription_items_try ON subscription_items (next_try_at)
WHERE next_try_at IS NOT NULL;
CREATE INDEX idx_subscription_items_absent ON subscription_items (subscription_id)
WHERE absent_since IS NOT NULL;

-- The number of items by state, maintained by triggers, as `job_counts`.
CREATE TABLE subscription_counts (
    subscription_id TEXT NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (subscription_id, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER subscription_items_counted_insert AFTER INSERT ON subscription_items BEGIN
    INSERT INTO subscription_counts (subscription_id, state, n)
    VALUES (new.subscription_id, new.state, 1)
    ON CONFLICT (subscription_id, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER subscription_items_counted_delete AFTER DELETE ON subscription_items BEGIN
    UPDATE subscription_counts SET n = n - 1
    WHERE subscription_id = old.subscription_id AND state = old.state;
END;
CREATE TRIGGER subscription_items_counted_update AFTER UPDATE OF state ON subscription_items
WHEN old.state <> new.state BEGIN
    UPDATE subscription_counts SET n = n - 1
    WHERE subscription_id = old.subscription_id AND state = old.state;
    INSERT INTO subscription_counts (subscription_id, state, n)
    VALUES (new.subscription_id, new.state, 1)
    ON CONFLICT (subscription_id, state) DO UPDATE SET n = n + 1;
END;

ALTER TABLE jobs ADD COLUMN subscription_id TEXT;

-- An item follows its job. A failed one is tried again after 1 h, 6 h, 1 d, 3 d and 7 d.
CREATE TRIGGER jobs_settle_items AFTER UPDATE OF status ON jobs
WHEN old.status <> new.status
BEGIN
    UPDATE subscription_items SET
        state = 'done', reason = NULL, next_try_at = NULL,
        done_at = ifnull(new.completed_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    WHERE job_id = new.id AND new.status IN ('completed', 'review') AND state <> 'done';
    UPDATE subscription_items SET
        state = 'failed', reason = new.error_code, attempts = attempts + 1,
        next_try_at = CASE
            WHEN attempts < 5 THEN strftime(
                '%Y-%m-%dT%H:%M:%fZ',
                ifnull(new.completed_at, 'now'),
                CASE attempts
                    WHEN 0 THEN '+1 hour' WHEN 1 THEN '+6 hours' WHEN 2 THEN '+1 day'
                    WHEN 3 THEN '+3 days' ELSE '+7 days'
                END
            )
        END
    WHERE job_id = new.id AND new.status = 'failed' AND state IN ('queued', 'done');
    UPDATE subscription_items SET state = 'ignored', reason = 'cancelled', next_try_at = NULL
    WHERE job_id = new.id AND new.status = 'cancelled' AND state IN ('queued', 'done');
    UPDATE subscription_items SET state = 'queued', reason = NULL, next_try_at = NULL
    WHERE job_id = new.id AND new.status IN ('queued', 'downloading')
        AND state IN ('failed', 'ignored');
END;
-- A job that is gone before its end, unless the item was settled first: a person deleted it.
CREATE TRIGGER jobs_leave_items BEFORE DELETE ON jobs BEGIN
    UPDATE subscription_items SET state = 'ignored', reason = 'deleted', next_try_at = NULL
    WHERE job_id = old.id AND state = 'queued';
END;

-- Commands that are answered once a list was read: `subscribe`, also as `dry_run`.
CREATE TABLE subscription_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL, -- JSON
    login TEXT, -- sealed
    dry_run INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    request_id TEXT,
    response_topic TEXT,
    correlation BLOB,
    created_at TEXT NOT NULL
) STRICT;

-- Sites whose checks are stopped, as they limit requests or take us for a robot.
CREATE TABLE site_stops (
    site TEXT PRIMARY KEY,
    stops INTEGER NOT NULL, -- in a row
    until TEXT NOT NULL
) STRICT;
