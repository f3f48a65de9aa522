-- How many tasks there are of each status: a day's are too many to be counted each time that somebody asks. Triggers keep it.
CREATE TABLE task_counts (
    status TEXT NOT NULL PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO task_counts SELECT status, COUNT(*) FROM tasks GROUP BY status;

CREATE TRIGGER tasks_new AFTER INSERT ON tasks
    BEGIN INSERT INTO task_counts VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET count = count + 1; END;
CREATE TRIGGER tasks_changed AFTER UPDATE OF status ON tasks WHEN NEW.status <> OLD.status BEGIN
    UPDATE task_counts SET count = count - 1 WHERE status = OLD.status;
    INSERT INTO task_counts VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER tasks_removed AFTER DELETE ON tasks
    BEGIN UPDATE task_counts SET count = count - 1 WHERE status = OLD.status; END;
