-- A delivery changes a few alerts of many: each is a row, and only what changed is written.
CREATE TABLE alerts (
    fingerprint TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    worker TEXT,
    starts_at REAL NOT NULL,
    heard_at REAL NOT NULL,
    ended_at REAL,
    overruled INTEGER NOT NULL
) WITHOUT ROWID;
-- Until now they were in the state. The json_… functions are the program's own, but json_each: see sqlite.py.
INSERT INTO alerts SELECT
    json_field(value, 'key'),
    json_field(value, 'name'),
    json_field(value, 'action'),
    json_field(value, 'worker'),
    json_field(value, 'starts_at'),
    json_field(value, 'heard_at'),
    json_field(value, 'ended_at'),
    json_field(value, 'overruled')
FROM state, json_each(json_items(state.body, 'alerts'));
UPDATE state SET body = json_without(body, 'alerts');
-- The history tells more than decisions, and is read and shortened by time.
ALTER TABLE events RENAME COLUMN worker TO subject;
ALTER TABLE events ADD COLUMN what TEXT NOT NULL DEFAULT 'decided';
CREATE INDEX events_by_time ON events (at);
