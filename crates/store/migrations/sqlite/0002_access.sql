-- Who may do what, and the record of what was done. Times are seconds since 1970, in `audit` milliseconds.

-- Until now every user could do everything in its domain. To take that away would lock people out, and nobody gets more than
-- it had: the users who are there already become administrators of their domain.
ALTER TABLE users ADD COLUMN administrator INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN description TEXT NOT NULL DEFAULT '';
UPDATE users SET administrator = 1;

ALTER TABLE projects ADD COLUMN masking INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN masked INTEGER NOT NULL DEFAULT 0;

ALTER TABLE access_keys ADD COLUMN last_used_at INTEGER;
CREATE INDEX access_keys_by_user ON access_keys (user_id);

ALTER TABLE tokens ADD COLUMN revoked_at INTEGER;
-- The methods that it was asked for with, with commas between.
ALTER TABLE tokens ADD COLUMN methods TEXT NOT NULL DEFAULT 'password';
CREATE INDEX tokens_by_user ON tokens (user_id);

-- An access key for a while; it is only good with the security token of this hash.
CREATE TABLE temporary_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret     BLOB NOT NULL,
    token_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX temporary_keys_by_end ON temporary_keys (expires_at);
CREATE INDEX temporary_keys_by_user ON temporary_keys (user_id);

-- The default one, "0", is always there and has no row.
CREATE TABLE enterprise_projects (
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    enabled     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (domain_id, id),
    UNIQUE (domain_id, name)
) STRICT, WITHOUT ROWID;
-- Instances could name any; what they name is there now, under that name.
INSERT INTO enterprise_projects (domain_id, id, name, created_at)
    SELECT p.domain_id, i.enterprise_project_id, i.enterprise_project_id, MIN(i.created_at)
    FROM instances i JOIN projects p ON p.id = i.project_id
    WHERE i.enterprise_project_id <> '0'
    GROUP BY p.domain_id, i.enterprise_project_id;

CREATE TABLE user_groups (
    id          TEXT NOT NULL PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    UNIQUE (domain_id, name)
) STRICT;

CREATE TABLE members (
    group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE policies (
    id          TEXT NOT NULL PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    model       TEXT NOT NULL CHECK (model IN ('role', 'identity')),
    document    TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (domain_id, name)
) STRICT;

-- A policy of the domain or one of the system, for a user or for a group, in one project or in all.
CREATE TABLE attachments (
    policy_id     TEXT REFERENCES policies (id),
    system_policy TEXT,
    user_id       TEXT REFERENCES users (id) ON DELETE CASCADE,
    group_id      TEXT REFERENCES user_groups (id) ON DELETE CASCADE,
    project_id    TEXT REFERENCES projects (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    CHECK ((policy_id IS NULL) <> (system_policy IS NULL)),
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX attached_once ON attachments
    (IFNULL(policy_id, ''), IFNULL(system_policy, ''), IFNULL(user_id, ''), IFNULL(group_id, ''), IFNULL(project_id, ''));
CREATE INDEX attachments_by_policy ON attachments (policy_id);
CREATE INDEX attachments_by_user ON attachments (user_id);
CREATE INDEX attachments_by_group ON attachments (group_id);

-- One row; what is computed from identities and policies is good as long as it stays the same.
CREATE TABLE access_version (
    only    INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO access_version (only, version) VALUES (1, 1);

-- Failures in a row, by a keyed hash of who they were for.
CREATE TABLE failures (
    subject      BLOB NOT NULL PRIMARY KEY,
    count        INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX failures_by_time ON failures (last_at);

-- `mac` is made with a key over the row and `previous`, the `mac` of the row before.
CREATE TABLE audit (
    seq             INTEGER NOT NULL PRIMARY KEY,
    at              INTEGER NOT NULL,
    actor_kind      TEXT NOT NULL,
    actor_id        TEXT,
    actor_name      TEXT NOT NULL,
    actor_domain_id TEXT,
    peer            TEXT,
    request_id      TEXT NOT NULL,
    operation       TEXT NOT NULL,
    domain_id       TEXT,
    project_id      TEXT,
    instance_id     TEXT,
    node_id         TEXT,
    target          TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    code            TEXT,
    detail          TEXT NOT NULL,
    previous        BLOB NOT NULL,
    mac             BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);

-- `head` is the newest row; `checkpoint` the oldest that is kept, and the `mac` of the one before it.
CREATE TABLE audit_ends (
    name TEXT NOT NULL PRIMARY KEY CHECK (name IN ('head', 'checkpoint')),
    seq  INTEGER NOT NULL,
    mac  BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- These keep mistakes out. Whoever can write the file can drop them: that is what the chain is for.
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE seq >= NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'a row of the audit comes after all others'); END;
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'a row of the audit is never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
    WHEN OLD.seq >= IFNULL((SELECT seq FROM audit_ends WHERE name = 'checkpoint'), 0)
    BEGIN SELECT RAISE(ABORT, 'a row of the audit is only removed by retention'); END;
CREATE TRIGGER audit_ends_stay BEFORE DELETE ON audit_ends
    BEGIN SELECT RAISE(ABORT, 'the ends of the audit are never removed'); END;
CREATE TRIGGER audit_ends_only_advance BEFORE UPDATE ON audit_ends
    WHEN NEW.seq < OLD.seq OR NEW.name <> OLD.name
    BEGIN SELECT RAISE(ABORT, 'the ends of the audit only advance'); END;
