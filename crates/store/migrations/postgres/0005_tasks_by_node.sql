-- The newest collections of a node, for its page. The node is not the first of its columns: who counts by node must not think that it has to
-- read all of this.
CREATE INDEX tasks_by_node ON tasks (project_id, instance_id, node_id, created_at DESC, request_id);
