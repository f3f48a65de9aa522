//! Removing what is over: ended collections with their results, results that no collection names, old kills and old rows of the audit.
//! Kills that nobody will end any more are ended first.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_model::Origin;
use clew_store::{Store, StoreError};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::settings::Settings;

/// Time between two rounds.
const EVERY: Duration = Duration::from_mins(1);
/// Time between two rounds through the audit. Each that removes something adds a row that says so.
const AUDIT_EVERY: Duration = Duration::from_hours(1);
/// Time between two rounds through all results that are kept.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// A result that no collection names may belong to one that is about to end. After this long it does not.
const ORPHAN_AGE: Duration = Duration::from_mins(10);
/// A collection whose zone has no worker waits so long for one.
const DESERTED_AFTER: Duration = Duration::from_mins(10);
/// A kill without an outcome may be under way. After this long, and twice what a node may take, it is not.
const LOST_AFTER: Duration = Duration::from_mins(1);

/// Removes what is older than the settings say, now and then again and again. Never returns.
pub(crate) async fn run(store: Store, settings: &Settings) {
    let lost_after = LOST_AFTER.max(settings.limits.node * 2);
    tokio::join!(
        collections(&store, settings.retention),
        orphans(&store),
        kills(&store, lost_after, settings.audit_retention),
        audit(&store, settings.audit_retention)
    );
}

async fn collections(store: &Store, retention: Duration) {
    let mut rounds = rounds(EVERY);
    loop {
        rounds.tick().await;
        if let Err(error) = round(store, retention).await {
            warn!(%error, "could not remove old collections; will try again");
        }
        match store.end_deserted(DESERTED_AFTER).await {
            Ok(0) => {}
            Ok(ended) => warn!(tasks.ended = ended, "ended collections of zones in which no worker is at work"),
            Err(error) => warn!(%error, "could not look for collections that no worker reaches; will try again"),
        }
    }
}

async fn orphans(store: &Store) {
    let mut rounds = rounds(SWEEP_EVERY);
    loop {
        rounds.tick().await;
        if let Err(error) = sweep(store).await {
            warn!(%error, "could not remove results that no collection names; will try again");
        }
    }
}

async fn kills(store: &Store, lost_after: Duration, retention: Duration) {
    let mut rounds = rounds(EVERY);
    loop {
        rounds.tick().await;
        match store.end_lost_kills(milliseconds_before_now(lost_after)).await {
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

async fn audit(store: &Store, retention: Duration) {
    let mut rounds = rounds(AUDIT_EVERY);
    loop {
        rounds.tick().await;
        match store.prune_audit(&Origin::clew(), milliseconds_before_now(retention)).await {
            Ok(0) => {}
            Ok(removed) => info!(audit.removed = removed, "removed old rows of the audit"),
            Err(error) => warn!(%error, "could not remove old rows of the audit; will try again"),
        }
    }
}

fn rounds(every: Duration) -> Interval {
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds
}

/// Rows go before results: a crash in between leaves a result that no row names, never a row without its result.
async fn round(store: &Store, retention: Duration) -> Result<(), StoreError> {
    let over = store.remove_ended_before(milliseconds_before_now(retention)).await?;
    remove_results(store, over).await;
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

async fn sweep(store: &Store) -> Result<(), StoreError> {
    let known = store.known_result_names().await?;
    match store.results().sweep(known, ORPHAN_AGE).await? {
        0 => {}
        swept => info!(results.swept = swept, "removed results that no collection names"),
    }
    Ok(())
}

fn milliseconds_before_now(age: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(age).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    i64::try_from(then.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
