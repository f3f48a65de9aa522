-- Nodes that refused a login, and when the next automatic login may be attempted. Times are milliseconds since 1970.
CREATE TABLE login_backoffs (
    node_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    refusals   BIGINT NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    refused_at BIGINT NOT NULL,
    retry_at   BIGINT NOT NULL
);

-- New credentials are tried at once.
CREATE FUNCTION credentials_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN DELETE FROM login_backoffs WHERE node_id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER credentials_changed AFTER UPDATE OF url, password ON nodes
    FOR EACH ROW EXECUTE FUNCTION credentials_changed();
