-- What a server remembers of identities, policies and the inventory is good as long as `version` stays the same, and what it remembers
-- of failures as long as `failures` does. So whatever changes one of these rows raises them, in the same transaction: these triggers
-- and nothing else. What is not there is not remembered, so a new row raises nothing, unless it belongs to another one that is
-- remembered, or comes before one. A note that a key was used changes nothing that is remembered.
ALTER TABLE access_version ADD COLUMN failures INTEGER NOT NULL DEFAULT 1;

CREATE TRIGGER domains_changed AFTER UPDATE ON domains
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER domains_removed AFTER DELETE ON domains
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER projects_changed AFTER UPDATE ON projects
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER projects_removed AFTER DELETE ON projects
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER users_changed AFTER UPDATE ON users
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER users_removed AFTER DELETE ON users
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_keys_new AFTER INSERT ON access_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_keys_changed AFTER UPDATE OF user_id, secret, enabled ON access_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_keys_removed AFTER DELETE ON access_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER temporary_keys_changed AFTER UPDATE ON temporary_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER temporary_keys_removed AFTER DELETE ON temporary_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tokens_changed AFTER UPDATE ON tokens
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tokens_removed AFTER DELETE ON tokens
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER user_groups_changed AFTER UPDATE ON user_groups
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER user_groups_removed AFTER DELETE ON user_groups
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER members_new AFTER INSERT ON members
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER members_changed AFTER UPDATE ON members
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER members_removed AFTER DELETE ON members
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER policies_changed AFTER UPDATE ON policies
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER policies_removed AFTER DELETE ON policies
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER attachments_new AFTER INSERT ON attachments
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER attachments_changed AFTER UPDATE ON attachments
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER attachments_removed AFTER DELETE ON attachments
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER instances_changed AFTER UPDATE ON instances
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER instances_removed AFTER DELETE ON instances
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER nodes_new AFTER INSERT ON nodes
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER nodes_changed AFTER UPDATE ON nodes
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER nodes_removed AFTER DELETE ON nodes
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tags_new AFTER INSERT ON tags
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tags_changed AFTER UPDATE ON tags
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tags_removed AFTER DELETE ON tags
    BEGIN UPDATE access_version SET version = version + 1; END;

CREATE TRIGGER failures_new AFTER INSERT ON failures
    BEGIN UPDATE access_version SET failures = failures + 1; END;
CREATE TRIGGER failures_changed AFTER UPDATE ON failures
    BEGIN UPDATE access_version SET failures = failures + 1; END;
CREATE TRIGGER failures_removed AFTER DELETE ON failures
    BEGIN UPDATE access_version SET failures = failures + 1; END;
