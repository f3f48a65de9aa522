//! What every store does, whatever database is behind it.

mod audit;
mod batches;
mod freshness;
mod intelligent_kills;
mod inventory;
mod kill_tasks;
mod kills;
mod lockouts;
mod policies;
mod processes;
mod queue;
mod releases;
pub(crate) mod results;
mod retention;
mod revocation;
mod secrets;
mod slow_thresholds;
mod tampering;
mod tenants;
mod turns;
pub(crate) mod users;
