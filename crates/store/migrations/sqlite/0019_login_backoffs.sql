-- Nodes that refused a login, and when the next automatic login may be attempted. Times are milliseconds since 1970.
CREATE TABLE login_backoffs (
    node_id    TEXT NOT NULL PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    refusals   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    refused_at INTEGER NOT NULL,
    retry_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- New credentials are tried at once.
CREATE TRIGGER credentials_changed AFTER UPDATE OF url, password ON nodes
    BEGIN DELETE FROM login_backoffs WHERE node_id = NEW.id; END;
