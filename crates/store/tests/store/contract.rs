//! Tests the contract of the store on each database.

mod audit;
mod fair_scheduling;
mod group_commit;
mod intelligent_kills;
mod inventory;
pub(crate) mod kill_tasks;
mod kills;
mod lockouts;
mod login_backoffs;
mod policies;
mod processes;
mod queue;
mod read_cache;
mod releases;
pub(crate) mod results;
mod retention;
mod revocation;
mod rotation;
mod secrets;
mod slow_session_thresholds;
mod tampering;
mod tenants;
mod truncation;
pub(crate) mod users;
mod zones;
