//! Retention: removes ended collections, their results, unreferenced results, old kills and old audit rows.
//!
//! Lost kills are ended before old kills are removed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_model::Origin;
use clew_store::{Store, StoreError};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::settings::Settings;

/// Time between two rounds of removal.
const ROUND_INTERVAL: Duration = Duration::from_mins(1);
/// Time between two rounds of audit pruning. Each pruning that removes rows adds one audit row.
const AUDIT_INTERVAL: Duration = Duration::from_hours(1);
/// Time between two sweeps of the result store.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);
/// Minimum age of an unreferenced result before its removal.
/// A younger result may belong to a collection that is about to end.
const MIN_ORPHAN_AGE: Duration = Duration::from_mins(10);
/// Maximum time that a collection waits while its zone has no worker.
const NO_WORKER_TIMEOUT: Duration = Duration::from_mins(10);
/// Minimum age at which a kill without an outcome counts as lost. Twice the node timeout applies if that is longer.
const MIN_LOST_KILL_AGE: Duration = Duration::from_mins(1);

/// Runs all retention rounds periodically, and never returns.
pub(crate) async fn run(store: Store, settings: &Settings) {
    let lost_kill_age = MIN_LOST_KILL_AGE.max(settings.limits.read_timeout * 2);
    tokio::join!(
        expire_collections(&store, settings.retention),
        remove_orphans(&store),
        expire_kills(&store, lost_kill_age, settings.audit_retention),
        prune_audit(&store, settings.audit_retention)
    );
}

async fn expire_collections(store: &Store, retention: Duration) {
    let mut ticks = interval_without_bursts(ROUND_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = remove_ended_collections(store, retention).await {
            warn!(%error, "could not remove old collections; will try again");
        }
        match store.fail_unserved(NO_WORKER_TIMEOUT).await {
            Ok(0) => {}
            Ok(ended) => warn!(tasks.ended = ended, "ended collections of zones in which no worker is at work"),
            Err(error) => warn!(%error, "could not look for collections that no worker reaches; will try again"),
        }
    }
}

async fn remove_orphans(store: &Store) {
    let mut ticks = interval_without_bursts(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep_results(store).await {
            warn!(%error, "could not remove results that no collection names; will try again");
        }
    }
}

async fn expire_kills(store: &Store, lost_kill_age: Duration, retention: Duration) {
    let mut ticks = interval_without_bursts(ROUND_INTERVAL);
    loop {
        ticks.tick().await;
        match store.end_lost_kills(milliseconds_before_now(lost_kill_age)).await {
            Ok(0) => {}
            Ok(lost) => {
                warn!(
                    kills.lost = lost,
                    "kills were begun by a Clew that is gone; whether they were sent is not known"
                );
            }
            Err(error) => warn!(%error, "could not look for kills that were lost; will try again"),
        }
        match store.remove_kills_before(milliseconds_before_now(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(kills.removed = removed, "removed old kills"),
            Err(error) => warn!(%error, "could not remove old kills; will try again"),
        }
        match store.remove_intelligent_kills_before(milliseconds_before_now(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(intelligent_kills.removed = removed, "removed old intelligent kills"),
            Err(error) => warn!(%error, "could not remove old intelligent kills; will try again"),
        }
    }
}

async fn prune_audit(store: &Store, retention: Duration) {
    let mut ticks = interval_without_bursts(AUDIT_INTERVAL);
    loop {
        ticks.tick().await;
        match store.prune_audit(&Origin::clew(), milliseconds_before_now(retention)).await {
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

/// Removes rows before results: a crash in between leaves an unreferenced result, never a row without its result.
async fn remove_ended_collections(store: &Store, retention: Duration) -> Result<(), StoreError> {
    let result_names = store.remove_tasks_ended_before(milliseconds_before_now(retention)).await?;
    remove_results(store, result_names).await;
    Ok(())
}

async fn remove_results(store: &Store, names: Vec<String>) {
    for name in &names {
        if let Err(error) = store.results().remove(name).await {
            warn!(result.name = name, %error, "could not remove an old result; the sweep will");
        }
    }
    if !names.is_empty() {
        info!(results.removed = names.len(), "removed old results");
    }
}

async fn sweep_results(store: &Store) -> Result<(), StoreError> {
    let referenced = store.referenced_result_names().await?;
    match store.results().collect_garbage(referenced, MIN_ORPHAN_AGE).await? {
        0 => {}
        swept => info!(results.swept = swept, "removed results that no collection names"),
    }
    Ok(())
}

fn milliseconds_before_now(age: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(age).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    i64::try_from(then.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
