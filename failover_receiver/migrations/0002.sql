-- The history tells more than decisions, and is read and shortened by time.
ALTER TABLE events RENAME COLUMN worker TO subject;
ALTER TABLE events ADD COLUMN what TEXT NOT NULL DEFAULT 'decided';
CREATE INDEX events_by_time ON events (at);
