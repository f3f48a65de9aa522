-- Sessions that were to be killed. A row is there before its kill is sent: as long as it has no outcome, nobody knows whether the kill
-- was sent. It outlives instance and task, so it refers to nothing. Of the statement there is only the template. Times are
-- milliseconds since 1970.
CREATE TABLE killed_sessions (
    id          INTEGER NOT NULL PRIMARY KEY,
    project_id  TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    node_id     TEXT NOT NULL,
    source      TEXT NOT NULL CHECK (source IN ('manual', 'intelligent', 'task')),
    task_id     TEXT,
    kind        TEXT NOT NULL CHECK (kind IN ('connection', 'query')),
    reason      TEXT NOT NULL,
    session_id  INTEGER NOT NULL,
    user        TEXT NOT NULL,
    host        TEXT NOT NULL,
    db          TEXT,
    command     TEXT NOT NULL,
    seconds     INTEGER NOT NULL,
    state       TEXT,
    template    TEXT,
    asked_at    INTEGER NOT NULL,
    outcome     TEXT CHECK (outcome IN
        ('killed', 'rolling_back', 'ending', 'already_gone', 'refused', 'failed', 'unknown')),
    detail      TEXT,
    ended_at    INTEGER,
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE INDEX killed_sessions_by_time ON killed_sessions (instance_id, asked_at);
CREATE INDEX killed_sessions_by_task ON killed_sessions (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX killed_sessions_open ON killed_sessions (asked_at) WHERE outcome IS NULL;
