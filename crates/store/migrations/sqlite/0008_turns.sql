-- Collections are taken up in turns: docs/decisions/0019 says how a turn is given out. What waited until now is taken up first, in its order.
ALTER TABLE tasks ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;

-- No statement could use this one: what it asked for was not a condition of the index, word for word.
DROP INDEX tasks_open;
DROP INDEX tasks_open_by_node;

CREATE INDEX tasks_waiting ON tasks (turn) WHERE status = 'queued';
CREATE INDEX tasks_waiting_by_instance ON tasks (project_id, instance_id, turn) WHERE status = 'queued';
CREATE INDEX tasks_waiting_by_node ON tasks (node_id) WHERE status = 'queued';
-- With all that is asked of those that run: one look finds the lapsed ones, the busy nodes and whose turn it is.
CREATE INDEX tasks_running ON tasks (lease_until, node_id, turn) WHERE status = 'running';
