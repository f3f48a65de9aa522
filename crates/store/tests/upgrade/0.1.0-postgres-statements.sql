-- The newest collection of the fixture waits, one runs whose lease has lapsed. This process queues another one, …
INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, masked, status, created_at, turn)
    SELECT 'realtime_session-00000000-0000-4000-8000-000000000009-98e9', project_id, instance_id, node_id, selection, false, 'queued', 5, 7
    FROM tasks WHERE request_id = 'realtime_session-00000000-0000-4000-8000-000000000000-98e0'
    AND (SELECT COUNT(*) FROM tasks WHERE node_id = '0123456789abcdef0123456789abcdefno07' AND status = 'queued') < 100;

-- … takes up the lapsed one and the first that waits, …
WITH others (node_id) AS (
    SELECT node_id FROM tasks WHERE status = 'running' AND lease_until > 9000000000000 GROUP BY node_id HAVING COUNT(*) >= 9
    UNION ALL SELECT value FROM json_array_elements_text('[]'::json) AS aside (value))
UPDATE tasks SET status = 'running', worker = 'old', fence = fence + 1, attempts = attempts + 1, lease_until = 9000000010000
WHERE rowid = COALESCE(
    (SELECT rowid FROM tasks WHERE status = 'running' AND lease_until <= 9000000000000
     AND node_id NOT IN (SELECT node_id FROM others) ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED),
    (SELECT rowid FROM tasks WHERE status = 'queued'
     AND node_id NOT IN (SELECT node_id FROM others) ORDER BY turn, rowid LIMIT 1 FOR UPDATE SKIP LOCKED));
WITH others (node_id) AS (
    SELECT node_id FROM tasks WHERE status = 'running' AND lease_until > 9000000000000 GROUP BY node_id HAVING COUNT(*) >= 9
    UNION ALL SELECT value FROM json_array_elements_text('[]'::json) AS aside (value))
UPDATE tasks SET status = 'running', worker = 'old', fence = fence + 1, attempts = attempts + 1, lease_until = 9000000010000
WHERE rowid = COALESCE(
    (SELECT rowid FROM tasks WHERE status = 'running' AND lease_until <= 9000000000000
     AND node_id NOT IN (SELECT node_id FROM others) ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED),
    (SELECT rowid FROM tasks WHERE status = 'queued'
     AND node_id NOT IN (SELECT node_id FROM others) ORDER BY turn, rowid LIMIT 1 FOR UPDATE SKIP LOCKED));

-- … holds one, ends it, and hands the other back.
UPDATE tasks SET lease_until = 9000000020000
    WHERE request_id = 'realtime_session-00000000-0000-4000-8000-000000000001-98e1' AND fence = 2 AND status = 'running' AND lease_until > 1;
UPDATE tasks SET status = 'finished', failure_kind = NULL, failure_detail = NULL, result_name = 'an older one.csv', result_rows = 1,
    result_bytes = 2, result_sha256 = 'ab', ended_at = 9000000000001, lease_until = NULL
    WHERE request_id = 'realtime_session-00000000-0000-4000-8000-000000000001-98e1' AND fence = 2 AND status = 'running';
UPDATE tasks SET status = 'queued', worker = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE request_id = 'realtime_session-00000000-0000-4000-8000-000000000000-98e0' AND fence = 1 AND status = 'running';

-- It adds an instance, whose node has no password, and notes that a key was used.
INSERT INTO instances (id, project_id, name, enterprise_project_id, created_at, updated_at)
    SELECT '00000000000000000000000000000009in07', id, 'older', '0', 1, 1 FROM projects;
INSERT INTO nodes (id, instance_id, name, role, url, host, password, created_at) VALUES ('00000000000000000000000000000009no07',
    '00000000000000000000000000000009in07', 'older_node0', 'master', 'mysql://clew@10.0.0.9:3306/', '10.0.0.9', NULL, 1);
UPDATE access_keys SET last_used_at = 5 WHERE id = 'AKTEST00000000000000';
