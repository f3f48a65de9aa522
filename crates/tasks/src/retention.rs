//! Retention job, which removes completed collections, their results, orphaned results, old kills and old audit rows.
//!
//! The job records the outcome of lost kills before it removes old kills.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_model::Origin;
use clew_store::{Store, StoreError};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::settings::WorkerSettings;

/// Time between two removals of old collections and kills.
const CLEANUP_INTERVAL: Duration = Duration::from_mins(1);
/// Time between two audit prunings. Each pruning that removes rows adds one audit row.
const AUDIT_PRUNE_INTERVAL: Duration = Duration::from_hours(1);
/// Time between two searches for orphaned results in the result store.
const ORPHAN_SWEEP_INTERVAL: Duration = Duration::from_hours(1);
/// Minimum age of an orphaned result before its removal.
/// A younger result may belong to a collection that is about to complete.
const MIN_ORPHAN_AGE: Duration = Duration::from_mins(10);
/// Maximum time that a collection waits in a zone without a worker.
const NO_WORKER_TIMEOUT: Duration = Duration::from_mins(10);
/// Minimum age at which a kill without an outcome counts as lost, but at least twice the read timeout.
const MIN_LOST_KILL_AGE: Duration = Duration::from_mins(1);

/// Runs all retention jobs periodically and never returns.
pub(crate) async fn run(store: Store, settings: &WorkerSettings) {
    let lost_kill_age = MIN_LOST_KILL_AGE.max(settings.limits.read_timeout * 2);
    tokio::join!(
        expire_collections_periodically(&store, settings.retention),
        sweep_orphans_periodically(&store),
        expire_kills_periodically(&store, lost_kill_age, settings.audit_retention),
        prune_audit_periodically(&store, settings.audit_retention)
    );
}

async fn expire_collections_periodically(store: &Store, retention: Duration) {
    let mut ticks = interval_without_bursts(CLEANUP_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = remove_ended_collections(store, retention).await {
            warn!(%error, "could not remove old collections; will try again");
        }
        match store.fail_tasks_in_unserved_zones(NO_WORKER_TIMEOUT).await {
            Ok(0) => {}
            Ok(ended) => warn!(tasks.ended = ended, "ended collections of zones in which no worker is at work"),
            Err(error) => warn!(%error, "could not look for collections that no worker reaches; will try again"),
        }
    }
}

async fn sweep_orphans_periodically(store: &Store) {
    let mut ticks = interval_without_bursts(ORPHAN_SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = remove_orphaned_results(store).await {
            warn!(%error, "could not remove results that no collection names; will try again");
        }
    }
}

async fn expire_kills_periodically(store: &Store, lost_kill_age: Duration, retention: Duration) {
    let mut ticks = interval_without_bursts(CLEANUP_INTERVAL);
    loop {
        ticks.tick().await;
        match store.end_interrupted_kills(unix_millis_before_now(lost_kill_age)).await {
            Ok(0) => {}
            Ok(lost) => {
                warn!(
                    kills.lost = lost,
                    "kills were begun by a Clew that is gone; whether they were sent is not known"
                );
            }
            Err(error) => warn!(%error, "could not look for kills that were lost; will try again"),
        }
        match store.remove_kills_before(unix_millis_before_now(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(kills.removed = removed, "removed old kills"),
            Err(error) => warn!(%error, "could not remove old kills; will try again"),
        }
        match store.remove_intelligent_kills_before(unix_millis_before_now(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(intelligent_kills.removed = removed, "removed old intelligent kills"),
            Err(error) => warn!(%error, "could not remove old intelligent kills; will try again"),
        }
    }
}

async fn prune_audit_periodically(store: &Store, retention: Duration) {
    let mut ticks = interval_without_bursts(AUDIT_PRUNE_INTERVAL);
    loop {
        ticks.tick().await;
        match store.prune_audit_log(&Origin::for_clew(), unix_millis_before_now(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(audit.removed = removed, "removed old rows of the audit"),
            Err(error) => warn!(%error, "could not remove old rows of the audit; will try again"),
        }
    }
}

fn interval_without_bursts(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Removes rows before results, so that a crash can leave an orphaned result but never a row without its result.
async fn remove_ended_collections(store: &Store, retention: Duration) -> Result<(), StoreError> {
    let result_names = store.remove_tasks_ended_before(unix_millis_before_now(retention)).await?;
    remove_results(store, result_names).await;
    Ok(())
}

async fn remove_results(store: &Store, names: Vec<String>) {
    for name in &names {
        if let Err(error) = store.results().remove_result(name).await {
            warn!(result.name = name, %error, "could not remove an old result; the sweep will");
        }
    }
    if !names.is_empty() {
        info!(results.removed = names.len(), "removed old results");
    }
}

async fn remove_orphaned_results(store: &Store) -> Result<(), StoreError> {
    let referenced = store.list_referenced_result_names().await?;
    match store.results().collect_garbage(referenced, MIN_ORPHAN_AGE).await? {
        0 => {}
        swept => info!(results.swept = swept, "removed results that no collection names"),
    }
    Ok(())
}

fn unix_millis_before_now(age: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(age).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    i64::try_from(then.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
