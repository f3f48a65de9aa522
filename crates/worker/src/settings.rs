//! Settings for a worker.

use std::time::Duration;

use clew_mysql::NodeConnector;

/// Settings for a worker. The default values suit a single machine.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Maximum number of active collection tasks in this process. The value 0 is treated as 1.
    pub concurrency: usize,
    /// Maximum number of collection tasks that may wait for stalled nodes, in addition to the active collection tasks.
    pub max_stalled: usize,
    /// Time without data from the node after which Clew considers a read stalled.
    pub stall_timeout: Duration,
    /// Maximum number of running collection tasks per node, across all workers that share the store.
    /// Within one process, at most one read per node runs at a time, even if `max_running_per_node` is higher.
    pub max_running_per_node: u32,
    /// Maximum number of queued collection tasks per node.
    pub max_queued_per_node: u32,
    /// Duration of the lease on a collection task. The worker renews the lease after a third of this duration.
    pub lease: Duration,
    /// Interval at which a worker polls the store for queued collection tasks and expired leases.
    /// With PostgreSQL notifications, the effective poll interval is at least 2 s.
    pub poll_interval: Duration,
    /// Interval at which a caller that waits for a collection checks whether another process has completed it.
    /// With PostgreSQL notifications, the effective poll interval is at least 2 s.
    pub completion_poll_interval: Duration,
    /// Retention period of completed collection tasks and their results.
    pub retention: Duration,
    /// Retention period of audit rows and kill records.
    pub audit_retention: Duration,
    /// Maximum number of attempts per collection task.
    pub max_attempts: u32,
    /// Connector for database nodes, with the timeouts and size limits for reads and kills.
    pub connector: NodeConnector,
    /// If true, the worker escapes CSV cells that a spreadsheet would evaluate as a formula.
    pub formula_guard: bool,
    /// At shutdown, a worker waits up to this time for running collection tasks and then requeues unfinished tasks.
    pub grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            max_stalled: 256,
            stall_timeout: Duration::from_secs(1),
            max_running_per_node: 1,
            max_queued_per_node: 32,
            lease: Duration::from_secs(10),
            poll_interval: Duration::from_millis(500),
            completion_poll_interval: Duration::from_millis(250),
            retention: Duration::from_hours(24),
            audit_retention: Duration::from_hours(365 * 24),
            max_attempts: 5,
            connector: NodeConnector::default(),
            formula_guard: true,
            grace: Duration::from_secs(5),
        }
    }
}
