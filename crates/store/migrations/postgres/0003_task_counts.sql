-- How many tasks there are of each status: a day's are too many to be counted each time that somebody asks. Triggers keep it.
CREATE TABLE task_counts (
    status TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    count  BIGINT NOT NULL
);
INSERT INTO task_counts SELECT status, COUNT(*) FROM tasks GROUP BY status;

CREATE FUNCTION count_task() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE task_counts SET count = count - 1 WHERE status = OLD.status;
    END IF;
    INSERT INTO task_counts VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET count = task_counts.count + 1;
    RETURN NULL;
END $$;
CREATE FUNCTION count_removed_tasks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE task_counts c SET count = c.count - g.count
        FROM (SELECT status, COUNT(*) AS count FROM gone GROUP BY status) g WHERE g.status = c.status;
    RETURN NULL;
END $$;
CREATE TRIGGER counted_new AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION count_task();
CREATE TRIGGER counted_changed AFTER UPDATE OF status ON tasks
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION count_task();
CREATE TRIGGER counted_removed AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_removed_tasks();
