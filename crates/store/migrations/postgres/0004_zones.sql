-- A node with a zone is read only by workers of that zone; '' is none. A task has the zone that its node had when it was queued, so that it
-- is found by an index.
ALTER TABLE nodes ADD COLUMN zone TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN zone TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX nodes_by_zone ON nodes (zone) WHERE zone <> '';
CREATE INDEX tasks_waiting_by_zone ON tasks (zone, turn, rowid) WHERE status = 'queued';
DROP INDEX tasks_waiting;

-- Workers that say now and then that they are at work; `zones` is a list in JSON. Times are milliseconds since 1970.
CREATE TABLE workers (
    name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    zones   TEXT COLLATE "C" NOT NULL,
    seen_at BIGINT NOT NULL
);
