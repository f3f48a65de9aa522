-- How many tasks have ended, and how: a day's are too many to be counted each time that somebody asks. Triggers keep it.
CREATE TABLE ended_tasks (
    status TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    count  BIGINT NOT NULL
);
INSERT INTO ended_tasks SELECT status, COUNT(*) FROM tasks WHERE ended_at IS NOT NULL GROUP BY status;

CREATE FUNCTION count_ended_task() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO ended_tasks VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET count = ended_tasks.count + 1;
    RETURN NULL;
END $$;
CREATE FUNCTION count_removed_tasks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE ended_tasks e SET count = e.count - g.count
        FROM (SELECT status, COUNT(*) AS count FROM gone WHERE ended_at IS NOT NULL GROUP BY status) g WHERE g.status = e.status;
    RETURN NULL;
END $$;
CREATE TRIGGER ended AFTER UPDATE OF ended_at ON tasks
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL) EXECUTE FUNCTION count_ended_task();
CREATE TRIGGER new_and_ended AFTER INSERT ON tasks
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL) EXECUTE FUNCTION count_ended_task();
CREATE TRIGGER removed AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_removed_tasks();
