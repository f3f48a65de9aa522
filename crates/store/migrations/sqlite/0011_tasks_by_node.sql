-- The newest collections of a node, for its page.
CREATE INDEX tasks_by_node ON tasks (node_id, created_at DESC, request_id);
