//! What every store does, whatever database is behind it.

mod audit;
mod batches;
mod freshness;
mod intelligent_kills;
mod inventory;
pub(crate) mod kill_tasks;
mod kills;
mod lockouts;
mod login_backoffs;
mod policies;
mod processes;
mod queue;
mod releases;
pub(crate) mod results;
mod retention;
mod revocation;
mod rotation;
mod secrets;
mod slow_thresholds;
mod tampering;
mod tenants;
mod truncation;
mod turns;
pub(crate) mod users;
mod zones;
