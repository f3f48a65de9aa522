//! Retention jobs that remove expired collection tasks, orphaned results, old kill records and old audit rows.
//!
//! If Clew exited during a kill, a retention job later records the outcome `unknown` for the kill.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_model::AuditOrigin;
use clew_store::Store;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::settings::WorkerSettings;

const EXPIRED_RECORD_CLEANUP_INTERVAL: Duration = Duration::from_mins(1);
/// Each run that removes rows also appends an audit row, so the audit log is pruned only hourly.
const AUDIT_PRUNE_INTERVAL: Duration = Duration::from_hours(1);
const ORPHANED_RESULT_SWEEP_INTERVAL: Duration = Duration::from_hours(1);
/// A recently written result may belong to a collection task that is about to complete.
const MIN_ORPHANED_RESULT_AGE: Duration = Duration::from_mins(10);
const TASK_TIMEOUT_IN_ZONE_WITHOUT_WORKERS: Duration = Duration::from_mins(10);
const MIN_LOST_KILL_AGE: Duration = Duration::from_mins(1);

pub(crate) async fn run_retention_jobs(store: Store, settings: &WorkerSettings) {
    let lost_kill_age = MIN_LOST_KILL_AGE.max(settings.connector.limits.read_timeout * 2);
    tokio::join!(
        run_periodically(EXPIRED_RECORD_CLEANUP_INTERVAL, || remove_old_collection_tasks(&store, settings.retention)),
        run_periodically(ORPHANED_RESULT_SWEEP_INTERVAL, || sweep_orphaned_results(&store)),
        run_periodically(EXPIRED_RECORD_CLEANUP_INTERVAL, || {
            remove_old_kill_records(&store, lost_kill_age, settings.audit_retention)
        }),
        run_periodically(AUDIT_PRUNE_INTERVAL, || prune_audit_log(&store, settings.audit_retention))
    );
}

/// Calls `job` immediately and then once per period.
pub(crate) async fn run_periodically<F: Future<Output = ()>>(period: Duration, job: impl Fn() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        job().await;
    }
}

/// Removes task rows before their results, so that a crash cannot leave a task row without a result.
async fn remove_old_collection_tasks(store: &Store, retention: Duration) {
    match store.tasks().remove_tasks_ended_before(compute_cutoff_unix_millis(retention)).await {
        Ok(result_names) => remove_expired_results(store, result_names).await,
        Err(error) => warn!(%error, "could not remove expired collections; retrying"),
    }
    match store.zones().fail_tasks_in_zones_without_workers(TASK_TIMEOUT_IN_ZONE_WITHOUT_WORKERS).await {
        Ok(0) => {}
        Ok(ended) => warn!(tasks.ended = ended, "collections failed in zones without a worker"),
        Err(error) => warn!(%error, "could not check for zones without a worker; retrying"),
    }
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

async fn sweep_orphaned_results(store: &Store) {
    let swept = match store.tasks().list_referenced_result_names().await {
        Ok(referenced) => store.result_store().collect_garbage(referenced, MIN_ORPHANED_RESULT_AGE).await,
        Err(error) => Err(error),
    };
    match swept {
        Ok(0) => {}
        Ok(swept) => info!(results.swept = swept, "orphaned results removed"),
        Err(error) => warn!(%error, "could not remove orphaned results; retrying"),
    }
}

async fn remove_old_kill_records(store: &Store, lost_kill_age: Duration, retention: Duration) {
    let (kills, cutoff) = (store.kills(), compute_cutoff_unix_millis(retention));
    match kills.record_interrupted_kills_as_unknown(compute_cutoff_unix_millis(lost_kill_age)).await {
        Ok(0) => {}
        Ok(lost) => warn!(kills.lost = lost, "kills interrupted by a process exit; their outcomes are unknown"),
        Err(error) => warn!(%error, "could not check for lost kills; retrying"),
    }
    match kills.remove_kill_records_before(cutoff).await {
        Ok(0) => {}
        Ok(removed) => info!(kills.removed = removed, "expired kills removed"),
        Err(error) => warn!(%error, "could not remove expired kills; retrying"),
    }
    match kills.remove_intelligent_kills_finished_before(cutoff).await {
        Ok(0) => {}
        Ok(removed) => info!(intelligent_kills.removed = removed, "expired intelligent kills removed"),
        Err(error) => warn!(%error, "could not remove expired intelligent kills; retrying"),
    }
}

async fn prune_audit_log(store: &Store, retention: Duration) {
    let (origin, cutoff) = (AuditOrigin::for_internal_operation(), compute_cutoff_unix_millis(retention));
    match store.audit().prune_audit_log(&origin, cutoff).await {
        Ok(0) => {}
        Ok(removed) => info!(audit.removed = removed, "expired audit rows removed"),
        Err(error) => warn!(%error, "could not remove expired audit rows; retrying"),
    }
}

fn compute_cutoff_unix_millis(age: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(age).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    i64::try_from(then.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
