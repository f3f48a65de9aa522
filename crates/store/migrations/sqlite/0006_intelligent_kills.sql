-- Intelligent kills that wait, run or have ended. The id is the moment when one was asked for. It outlives instance and project, so it
-- refers to nothing; whom it killed is in `killed_sessions`. One is taken up once and never again: `lease_until` says by when whoever
-- took it up has ended it, or is gone. Times are milliseconds since 1970.
CREATE TABLE intelligent_kills (
    id          INTEGER NOT NULL PRIMARY KEY,
    project_id  TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    node_id     TEXT NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    actor_domain_id TEXT NOT NULL,
    peer        TEXT,
    request_id  TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'error')),
    lease_until INTEGER,
    reason      TEXT,
    ended_at    INTEGER,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status = 'error') = (reason IS NOT NULL)),
    CHECK ((status IN ('finished', 'error')) = (ended_at IS NOT NULL))
) STRICT;
CREATE INDEX intelligent_kills_by_node ON intelligent_kills (instance_id, node_id);
CREATE INDEX intelligent_kills_open ON intelligent_kills (id) WHERE status IN ('queued', 'running');
