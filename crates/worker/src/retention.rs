//! Retention jobs that remove expired collection tasks, orphaned results, old kill records and old audit rows.
//!
//! If a process exit interrupted a kill, a retention job records the outcome `unknown` for the kill.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_model::AuditOrigin;
use clew_store::{Store, StoreError};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::settings::WorkerSettings;

const EXPIRED_RECORD_CLEANUP_INTERVAL: Duration = Duration::from_mins(1);
/// The audit log is pruned only hourly, because each run that removes rows adds an audit row.
const AUDIT_PRUNE_INTERVAL: Duration = Duration::from_hours(1);
const ORPHANED_RESULT_SWEEP_INTERVAL: Duration = Duration::from_hours(1);
/// Minimum age at which Clew removes an orphaned result.
/// A newer result may belong to a collection task that is about to complete.
const MIN_ORPHANED_RESULT_AGE: Duration = Duration::from_mins(10);
const WORKERLESS_ZONE_TASK_TIMEOUT: Duration = Duration::from_mins(10);
/// A kill without an outcome counts as interrupted after 1 minute or twice the read timeout, whichever is longer.
const MIN_INTERRUPTED_KILL_AGE: Duration = Duration::from_mins(1);

pub(crate) async fn run_retention_jobs(store: Store, settings: &WorkerSettings) {
    let lost_kill_age = MIN_INTERRUPTED_KILL_AGE.max(settings.connector.limits.read_timeout * 2);
    tokio::join!(
        remove_old_collection_tasks_periodically(&store, settings.retention),
        sweep_orphaned_results_periodically(&store),
        remove_old_kill_records_periodically(&store, lost_kill_age, settings.audit_retention),
        prune_audit_log_periodically(&store, settings.audit_retention)
    );
}

async fn remove_old_collection_tasks_periodically(store: &Store, retention: Duration) {
    let mut ticks = create_retention_job_timer(EXPIRED_RECORD_CLEANUP_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = remove_expired_collection_tasks(store, retention).await {
            warn!(%error, "could not remove expired collections; retrying");
        }
        match store.zones().fail_tasks_in_zones_without_workers(WORKERLESS_ZONE_TASK_TIMEOUT).await {
            Ok(0) => {}
            Ok(ended) => warn!(tasks.ended = ended, "collections failed in zones without a worker"),
            Err(error) => warn!(%error, "could not check for zones without a worker; retrying"),
        }
    }
}

async fn sweep_orphaned_results_periodically(store: &Store) {
    let mut ticks = create_retention_job_timer(ORPHANED_RESULT_SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = remove_orphaned_results(store).await {
            warn!(%error, "could not remove orphaned results; retrying");
        }
    }
}

async fn remove_old_kill_records_periodically(store: &Store, lost_kill_age: Duration, retention: Duration) {
    let mut ticks = create_retention_job_timer(EXPIRED_RECORD_CLEANUP_INTERVAL);
    loop {
        ticks.tick().await;
        match store.kills().record_interrupted_kills_as_unknown(compute_cutoff_unix_millis(lost_kill_age)).await {
            Ok(0) => {}
            Ok(lost) => {
                warn!(kills.lost = lost, "kills interrupted by a process exit; their outcomes are unknown");
            }
            Err(error) => warn!(%error, "could not check for lost kills; retrying"),
        }
        match store.kills().remove_kill_records_before(compute_cutoff_unix_millis(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(kills.removed = removed, "expired kills removed"),
            Err(error) => warn!(%error, "could not remove expired kills; retrying"),
        }
        match store.kills().remove_intelligent_kills_finished_before(compute_cutoff_unix_millis(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(intelligent_kills.removed = removed, "expired intelligent kills removed"),
            Err(error) => warn!(%error, "could not remove expired intelligent kills; retrying"),
        }
    }
}

async fn prune_audit_log_periodically(store: &Store, retention: Duration) {
    let mut ticks = create_retention_job_timer(AUDIT_PRUNE_INTERVAL);
    loop {
        ticks.tick().await;
        match store
            .audit()
            .prune_audit_log(&AuditOrigin::for_internal_operation(), compute_cutoff_unix_millis(retention))
            .await
        {
            Ok(0) => {}
            Ok(removed) => info!(audit.removed = removed, "expired audit rows removed"),
            Err(error) => warn!(%error, "could not remove expired audit rows; retrying"),
        }
    }
}

fn create_retention_job_timer(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Removes task rows before their results, because a crash must not leave a row without a result.
async fn remove_expired_collection_tasks(store: &Store, retention: Duration) -> Result<(), StoreError> {
    let result_names = store.tasks().remove_tasks_ended_before(compute_cutoff_unix_millis(retention)).await?;
    remove_expired_results(store, result_names).await;
    Ok(())
}

async fn remove_expired_results(store: &Store, names: Vec<String>) {
    for name in &names {
        if let Err(error) = store.result_store().remove_result(name).await {
            warn!(result.name = name, %error, "could not remove an expired result; the orphan sweep will remove it");
        }
    }
    if !names.is_empty() {
        info!(results.removed = names.len(), "expired results removed");
    }
}

async fn remove_orphaned_results(store: &Store) -> Result<(), StoreError> {
    let referenced = store.tasks().list_referenced_result_names().await?;
    match store.result_store().collect_garbage(referenced, MIN_ORPHANED_RESULT_AGE).await? {
        0 => {}
        swept => info!(results.swept = swept, "orphaned results removed"),
    }
    Ok(())
}

fn compute_cutoff_unix_millis(age: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(age).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    i64::try_from(then.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
