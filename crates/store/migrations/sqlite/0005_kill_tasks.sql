-- Tasks that kill sessions by themselves, and whether an instance lets them. Times are milliseconds since 1970.

-- An instance without a row lets no task kill. Who holds the lease, and nobody else, runs the tasks of the instance.
CREATE TABLE kill_switches (
    instance_id TEXT NOT NULL PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE,
    is_on       INTEGER NOT NULL,
    worker      TEXT,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;

-- One with an end of its own is over then, whether or not anybody looks; `stopped_at` is when somebody ended it before.
CREATE TABLE kill_tasks (
    id          INTEGER NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    criteria    TEXT NOT NULL,
    masked      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ends_at     INTEGER,
    stopped_at  INTEGER
) STRICT;
CREATE INDEX kill_tasks_by_instance ON kill_tasks (instance_id);
CREATE INDEX kill_tasks_not_stopped ON kill_tasks (ends_at) WHERE stopped_at IS NULL;
