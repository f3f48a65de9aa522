-- Times are milliseconds since 1970 in `tasks` and seconds since 1970 everywhere else. What is sealed is a BLOB.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE domains (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE projects (
    id          TEXT NOT NULL PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    enabled     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    UNIQUE (domain_id, name)
) STRICT;

CREATE TABLE users (
    id            TEXT NOT NULL PRIMARY KEY,
    domain_id     TEXT NOT NULL REFERENCES domains (id),
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    enabled       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    UNIQUE (domain_id, name)
) STRICT;

CREATE TABLE access_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret     BLOB NOT NULL,
    enabled    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    hash          BLOB NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    scope_project TEXT REFERENCES projects (id) ON DELETE CASCADE,
    issued_at     INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_end ON tokens (expires_at);

CREATE TABLE instances (
    id                    TEXT NOT NULL PRIMARY KEY,
    project_id            TEXT NOT NULL REFERENCES projects (id),
    name                  TEXT NOT NULL,
    enterprise_project_id TEXT NOT NULL,
    slow_threshold        INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

CREATE TABLE tags (
    instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (instance_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    id          TEXT NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('master', 'slave')),
    url         TEXT NOT NULL,
    host        TEXT NOT NULL,
    password    BLOB,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX nodes_by_instance ON nodes (instance_id);
CREATE UNIQUE INDEX one_master ON nodes (instance_id) WHERE role = 'master';

-- A task outlives the instance that it was for, so it refers to nothing.
CREATE TABLE tasks (
    request_id     TEXT NOT NULL PRIMARY KEY,
    project_id     TEXT NOT NULL,
    instance_id    TEXT NOT NULL,
    node_id        TEXT NOT NULL,
    selection      TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'error')),
    worker         TEXT,
    fence          INTEGER NOT NULL DEFAULT 0,
    lease_until    INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    failure_kind   TEXT,
    failure_detail TEXT,
    result_name    TEXT,
    result_rows    INTEGER,
    result_bytes   INTEGER,
    result_sha256  TEXT,
    created_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status = 'finished') = (result_name IS NOT NULL)),
    CHECK ((status = 'error') = (failure_kind IS NOT NULL)),
    CHECK ((status IN ('finished', 'error')) = (ended_at IS NOT NULL))
) STRICT;
CREATE INDEX tasks_open ON tasks (created_at) WHERE status IN ('queued', 'running');
CREATE INDEX tasks_open_by_node ON tasks (node_id) WHERE status IN ('queued', 'running');
CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;
