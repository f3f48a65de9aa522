-- How many tasks have ended, and how: a day's are too many to be counted each time that somebody asks. Triggers keep it.
CREATE TABLE ended_tasks (
    status TEXT NOT NULL PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO ended_tasks SELECT status, COUNT(*) FROM tasks WHERE ended_at IS NOT NULL GROUP BY status;

CREATE TRIGGER tasks_ended AFTER UPDATE OF ended_at ON tasks WHEN NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL
    BEGIN INSERT INTO ended_tasks VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET count = count + 1; END;
CREATE TRIGGER tasks_new_and_ended AFTER INSERT ON tasks WHEN NEW.ended_at IS NOT NULL
    BEGIN INSERT INTO ended_tasks VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET count = count + 1; END;
CREATE TRIGGER tasks_removed AFTER DELETE ON tasks WHEN OLD.ended_at IS NOT NULL
    BEGIN UPDATE ended_tasks SET count = count - 1 WHERE status = OLD.status; END;
