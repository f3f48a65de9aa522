-- What `migrations/sqlite` has come to, in one step. Times are milliseconds since 1970 in `tasks`, `audit` and whatever kills, and seconds
-- since 1970 everywhere else. What is sealed is BYTEA. Text is ordered by its bytes, as SQLite does it. `rowid` is the order in which rows
-- were added; SQLite has one of its own.

-- As SQLite's: where one text stands in another, from 1 on; 0 if it does not.
CREATE FUNCTION instr(whole TEXT, part TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN strpos(whole, part);

CREATE TABLE settings (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE domains (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE projects (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    domain_id   TEXT COLLATE "C" NOT NULL REFERENCES domains (id),
    name        TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL DEFAULT '',
    enabled     BOOLEAN NOT NULL DEFAULT true,
    masking     BOOLEAN NOT NULL DEFAULT false,
    created_at  BIGINT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE users (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    domain_id     TEXT COLLATE "C" NOT NULL REFERENCES domains (id),
    name          TEXT COLLATE "C" NOT NULL,
    password_hash TEXT COLLATE "C" NOT NULL,
    enabled       BOOLEAN NOT NULL DEFAULT true,
    administrator BOOLEAN NOT NULL DEFAULT false,
    description   TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE access_keys (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rowid        BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret       BYTEA NOT NULL,
    enabled      BOOLEAN NOT NULL DEFAULT true,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX access_keys_by_user ON access_keys (user_id);

-- An access key for a while; it is only good with the security token of this hash.
CREATE TABLE temporary_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret     BYTEA NOT NULL,
    token_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX temporary_keys_by_end ON temporary_keys (expires_at);
CREATE INDEX temporary_keys_by_user ON temporary_keys (user_id);

-- `methods`: those that it was asked for with, with commas between.
CREATE TABLE tokens (
    hash          BYTEA NOT NULL PRIMARY KEY,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    scope_project TEXT COLLATE "C" REFERENCES projects (id) ON DELETE CASCADE,
    methods       TEXT COLLATE "C" NOT NULL,
    issued_at     BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);
CREATE INDEX tokens_by_end ON tokens (expires_at);
CREATE INDEX tokens_by_user ON tokens (user_id);

-- The default one, "0", is always there and has no row.
CREATE TABLE enterprise_projects (
    domain_id   TEXT COLLATE "C" NOT NULL REFERENCES domains (id),
    id          TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL DEFAULT '',
    enabled     BOOLEAN NOT NULL DEFAULT true,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id),
    UNIQUE (domain_id, name)
);

CREATE TABLE user_groups (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    domain_id   TEXT COLLATE "C" NOT NULL REFERENCES domains (id),
    name        TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE members (
    group_id TEXT COLLATE "C" NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE policies (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    domain_id   TEXT COLLATE "C" NOT NULL REFERENCES domains (id),
    name        TEXT COLLATE "C" NOT NULL,
    model       TEXT COLLATE "C" NOT NULL CHECK (model IN ('role', 'identity')),
    document    TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (domain_id, name)
);

-- A policy of the domain or one of the system, for a user or for a group, in one project or in all.
CREATE TABLE attachments (
    rowid         BIGINT GENERATED ALWAYS AS IDENTITY,
    policy_id     TEXT COLLATE "C" REFERENCES policies (id),
    system_policy TEXT COLLATE "C",
    user_id       TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    group_id      TEXT COLLATE "C" REFERENCES user_groups (id) ON DELETE CASCADE,
    project_id    TEXT COLLATE "C" REFERENCES projects (id) ON DELETE CASCADE,
    created_at    BIGINT NOT NULL,
    CHECK ((policy_id IS NULL) <> (system_policy IS NULL)),
    CHECK ((user_id IS NULL) <> (group_id IS NULL)),
    CONSTRAINT attached_once UNIQUE NULLS NOT DISTINCT (policy_id, system_policy, user_id, group_id, project_id)
);
CREATE INDEX attachments_by_user ON attachments (user_id);
CREATE INDEX attachments_by_group ON attachments (group_id);

CREATE TABLE instances (
    id                    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rowid                 BIGINT GENERATED ALWAYS AS IDENTITY,
    project_id            TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    name                  TEXT COLLATE "C" NOT NULL,
    enterprise_project_id TEXT COLLATE "C" NOT NULL,
    slow_threshold        BIGINT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE tags (
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    key         TEXT COLLATE "C" NOT NULL,
    value       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (instance_id, key)
);

CREATE TABLE nodes (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rowid       BIGINT GENERATED ALWAYS AS IDENTITY,
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name        TEXT COLLATE "C" NOT NULL,
    role        TEXT COLLATE "C" NOT NULL CHECK (role IN ('master', 'slave')),
    url         TEXT COLLATE "C" NOT NULL,
    host        TEXT COLLATE "C" NOT NULL,
    password    BYTEA,
    created_at  BIGINT NOT NULL
);
CREATE INDEX nodes_by_instance ON nodes (instance_id);
CREATE UNIQUE INDEX one_master ON nodes (instance_id) WHERE role = 'master';

-- A task outlives the instance that it was for, so it refers to nothing.
CREATE TABLE tasks (
    request_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rowid          BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
    project_id     TEXT COLLATE "C" NOT NULL,
    instance_id    TEXT COLLATE "C" NOT NULL,
    node_id        TEXT COLLATE "C" NOT NULL,
    selection      TEXT COLLATE "C" NOT NULL,
    masked         BOOLEAN NOT NULL DEFAULT false,
    turn           BIGINT NOT NULL,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'error')),
    worker         TEXT COLLATE "C",
    fence          BIGINT NOT NULL DEFAULT 0,
    lease_until    BIGINT,
    attempts       BIGINT NOT NULL DEFAULT 0,
    failure_kind   TEXT COLLATE "C",
    failure_detail TEXT COLLATE "C",
    result_name    TEXT COLLATE "C",
    result_rows    BIGINT,
    result_bytes   BIGINT,
    result_sha256  TEXT COLLATE "C",
    created_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status = 'finished') = (result_name IS NOT NULL)),
    CHECK ((status = 'error') = (failure_kind IS NOT NULL)),
    CHECK ((status IN ('finished', 'error')) = (ended_at IS NOT NULL))
);
CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_waiting ON tasks (turn, rowid) WHERE status = 'queued';
CREATE INDEX tasks_waiting_by_instance ON tasks (project_id, instance_id, turn) WHERE status = 'queued';
CREATE INDEX tasks_waiting_by_node ON tasks (node_id) WHERE status = 'queued';
CREATE INDEX tasks_running ON tasks (lease_until, node_id, turn) WHERE status = 'running';

-- Sessions that were to be killed. A row is there before its kill is sent: as long as it has no outcome, nobody knows whether the kill
-- was sent. It outlives instance and task, so it refers to nothing. Of the statement there is only the template.
CREATE TABLE killed_sessions (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  TEXT COLLATE "C" NOT NULL,
    instance_id TEXT COLLATE "C" NOT NULL,
    node_id     TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL CHECK (source IN ('manual', 'intelligent', 'task')),
    task_id     TEXT COLLATE "C",
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('connection', 'query')),
    reason      TEXT COLLATE "C" NOT NULL,
    session_id  BIGINT NOT NULL,
    "user"      TEXT COLLATE "C" NOT NULL,
    host        TEXT COLLATE "C" NOT NULL,
    db          TEXT COLLATE "C",
    command     TEXT COLLATE "C" NOT NULL,
    seconds     BIGINT NOT NULL,
    state       TEXT COLLATE "C",
    template    TEXT COLLATE "C",
    asked_at    BIGINT NOT NULL,
    outcome     TEXT COLLATE "C" CHECK (outcome IN
        ('killed', 'rolling_back', 'ending', 'already_gone', 'refused', 'failed', 'unknown')),
    detail      TEXT COLLATE "C",
    ended_at    BIGINT,
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE INDEX killed_sessions_by_time ON killed_sessions (instance_id, asked_at);
CREATE INDEX killed_sessions_by_task ON killed_sessions (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX killed_sessions_open ON killed_sessions (asked_at) WHERE outcome IS NULL;

-- An instance without a row lets no task kill. Who holds the lease, and nobody else, runs the tasks of the instance.
CREATE TABLE kill_switches (
    instance_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE,
    is_on       BOOLEAN NOT NULL,
    worker      TEXT COLLATE "C",
    lease_until BIGINT
);

-- One with an end of its own is over then, whether or not anybody looks; `stopped_at` is when somebody ended it before.
CREATE TABLE kill_tasks (
    id          BIGINT NOT NULL PRIMARY KEY,
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    criteria    TEXT COLLATE "C" NOT NULL,
    masked      BOOLEAN NOT NULL,
    started_at  BIGINT NOT NULL,
    ends_at     BIGINT,
    stopped_at  BIGINT
);
CREATE INDEX kill_tasks_by_instance ON kill_tasks (instance_id);
CREATE INDEX kill_tasks_not_stopped ON kill_tasks (ends_at) WHERE stopped_at IS NULL;

-- Intelligent kills that wait, run or have ended. The id is the moment when one was asked for. It outlives instance and project, so it
-- refers to nothing; whom it killed is in `killed_sessions`. One is taken up once and never again: `lease_until` says by when whoever
-- took it up has ended it, or is gone.
CREATE TABLE intelligent_kills (
    id              BIGINT NOT NULL PRIMARY KEY,
    project_id      TEXT COLLATE "C" NOT NULL,
    instance_id     TEXT COLLATE "C" NOT NULL,
    node_id         TEXT COLLATE "C" NOT NULL,
    actor_id        TEXT COLLATE "C" NOT NULL,
    actor_name      TEXT COLLATE "C" NOT NULL,
    actor_domain_id TEXT COLLATE "C" NOT NULL,
    peer            TEXT COLLATE "C",
    request_id      TEXT COLLATE "C" NOT NULL,
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'error')),
    lease_until     BIGINT,
    reason          TEXT COLLATE "C",
    ended_at        BIGINT,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status = 'error') = (reason IS NOT NULL)),
    CHECK ((status IN ('finished', 'error')) = (ended_at IS NOT NULL))
);
CREATE INDEX intelligent_kills_by_node ON intelligent_kills (instance_id, node_id);
CREATE INDEX intelligent_kills_open ON intelligent_kills (id) WHERE status IN ('queued', 'running');

-- Failures in a row, by a keyed hash of who they were for.
CREATE TABLE failures (
    subject      BYTEA NOT NULL PRIMARY KEY,
    count        BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    locked_until BIGINT
);
CREATE INDEX failures_by_time ON failures (last_at);

-- One row. What a server remembers of identities, policies and the inventory is good as long as `version` stays the same, and what it
-- remembers of failures as long as `failures` does. So whatever changes one of these rows raises them, in the same transaction: these
-- triggers and nothing else. What is not there is not remembered, so a new row raises nothing, unless it belongs to another one that is
-- remembered, or comes before one. A note that a key was used changes nothing that is remembered.
CREATE TABLE access_version (
    only_row BOOLEAN NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    version  BIGINT NOT NULL DEFAULT 1,
    failures BIGINT NOT NULL DEFAULT 1
);
INSERT INTO access_version DEFAULT VALUES;

CREATE FUNCTION access_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN UPDATE access_version SET version = version + 1; RETURN NULL; END $$;
CREATE FUNCTION failures_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN UPDATE access_version SET failures = failures + 1; RETURN NULL; END $$;

CREATE TRIGGER changed AFTER UPDATE OR DELETE ON domains FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON projects FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OF user_id, secret, enabled OR DELETE ON access_keys
    FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON temporary_keys FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON tokens FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON user_groups FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON members FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON policies FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON attachments FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER UPDATE OR DELETE ON instances FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON nodes FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON tags FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON failures FOR EACH ROW EXECUTE FUNCTION failures_changed();

-- `mac` is made with a key over the row and `previous`, the `mac` of the row before.
CREATE TABLE audit (
    seq             BIGINT NOT NULL PRIMARY KEY,
    at              BIGINT NOT NULL,
    actor_kind      TEXT COLLATE "C" NOT NULL,
    actor_id        TEXT COLLATE "C",
    actor_name      TEXT COLLATE "C" NOT NULL,
    actor_domain_id TEXT COLLATE "C",
    peer            TEXT COLLATE "C",
    request_id      TEXT COLLATE "C" NOT NULL,
    operation       TEXT COLLATE "C" NOT NULL,
    domain_id       TEXT COLLATE "C",
    project_id      TEXT COLLATE "C",
    instance_id     TEXT COLLATE "C",
    node_id         TEXT COLLATE "C",
    target          TEXT COLLATE "C" NOT NULL,
    outcome         TEXT COLLATE "C" NOT NULL,
    code            TEXT COLLATE "C",
    detail          TEXT COLLATE "C" NOT NULL,
    previous        BYTEA NOT NULL,
    mac             BYTEA NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);

-- `head` is the newest row; `checkpoint` the oldest that is kept, and the `mac` of the one before it.
CREATE TABLE audit_ends (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (name IN ('head', 'checkpoint')),
    seq  BIGINT NOT NULL,
    mac  BYTEA NOT NULL,
    seal BYTEA NOT NULL
);

-- These keep mistakes out. Whoever owns the tables can drop them: that is what the chain is for.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM audit WHERE seq >= NEW.seq) THEN
        RAISE EXCEPTION 'a row of the audit comes after all others';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.seq >= COALESCE((SELECT seq FROM audit_ends WHERE name = 'checkpoint'), 0) THEN
        RAISE EXCEPTION 'a row of the audit is only removed by retention';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('a row of the audit is never changed');
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_kept();
CREATE TRIGGER audit_ends_stay BEFORE DELETE ON audit_ends
    FOR EACH ROW EXECUTE FUNCTION refuse('the ends of the audit are never removed');
CREATE TRIGGER audit_ends_only_advance BEFORE UPDATE ON audit_ends
    FOR EACH ROW WHEN (NEW.seq < OLD.seq OR NEW.name <> OLD.name)
    EXECUTE FUNCTION refuse('the ends of the audit only advance');
