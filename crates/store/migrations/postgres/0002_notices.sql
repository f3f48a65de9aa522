-- Whoever listens on the channel is told when a task or an intelligent kill waits, and which task has ended. The server tells it when the
-- transaction has been committed, and once if it did the same several times.
CREATE FUNCTION tell_of_tasks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('clew', CASE NEW.status WHEN 'queued' THEN 'queued' ELSE 'ended ' || NEW.request_id END);
    RETURN NULL;
END $$;
CREATE FUNCTION tell_of_kills() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('clew', 'kill');
    RETURN NULL;
END $$;
CREATE TRIGGER told AFTER INSERT OR UPDATE OF status ON tasks
    FOR EACH ROW WHEN (NEW.status <> 'running') EXECUTE FUNCTION tell_of_tasks();
CREATE TRIGGER told AFTER INSERT ON intelligent_kills FOR EACH ROW EXECUTE FUNCTION tell_of_kills();
