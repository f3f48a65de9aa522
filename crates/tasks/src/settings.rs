//! How a worker behaves.

use std::time::Duration;

use clew_mysql::Limits;

/// Settings of a worker. The defaults suit one machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Collections that are at work at once in this process; at least one is, whatever is set.
    pub concurrency: usize,
    /// Collections that may run besides, as long as they only wait for their nodes.
    pub waiting: usize,
    /// After this long without anything from its node a collection only waits.
    pub patience: Duration,
    /// Collections of one node that run at once, over all workers of the store. Of one process only one reads it, whatever is set.
    pub per_node: u32,
    /// Collections of one node that may wait; one more is refused.
    pub queue_per_node: u32,
    /// How long a worker that says nothing keeps a collection. It is renewed each third of this.
    pub lease: Duration,
    /// How often a worker looks for what another process queued, where it does not hear of it, and for leases that lapsed. Who hears
    /// does so each 2 s at most.
    pub look_again: Duration,
    /// How soon who waits for the end of a collection sees one that another process recorded, where it does not hear of it; one of this
    /// process is told at once. Who hears looks each 2 s at most.
    pub look_for_end: Duration,
    /// How long an ended collection and its result are kept.
    pub retention: Duration,
    /// How long a row of the audit is kept, and what is known of a kill.
    pub audit_retention: Duration,
    /// How often a collection is taken up before it is given up.
    pub max_attempts: u32,
    /// How long a node may take.
    pub limits: Limits,
    /// Whether text that a spreadsheet would take for a formula is disarmed (DESIGN.md section 6).
    pub formula_guard: bool,
    /// How long running collections may go on once the worker was told to stop; then they are handed back.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            waiting: 256,
            patience: Duration::from_secs(1),
            per_node: 1,
            queue_per_node: 32,
            lease: Duration::from_secs(10),
            look_again: Duration::from_millis(500),
            look_for_end: Duration::from_millis(250),
            retention: Duration::from_hours(24),
            audit_retention: Duration::from_hours(365 * 24),
            max_attempts: 5,
            limits: Limits::default(),
            formula_guard: true,
            grace: Duration::from_secs(5),
        }
    }
}
