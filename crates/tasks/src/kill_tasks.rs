//! The worker of kill tasks: each second a round on every node of every instance that has some.
//!
//! Who holds the lease of an instance runs its rounds, and lets no kill go out that would come after the lease. Rounds of a node never
//! overlap, and one that hangs delays no other; a node that takes long to look at is looked at less often. Where there is nothing to
//! do, a second costs one query on the store.

mod nodes;
mod round;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{InstanceId, NodeId};
use clew_mysql::Limits;
use clew_store::{KillRounds, Store, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use uuid::Uuid;

use crate::kills::Kills;
use crate::observer::Observer;
use crate::pace::EVERY;
use crate::settings::Settings;
use nodes::Nodes;
use round::Round;

/// Runs kill tasks.
pub struct KillTasks {
    store: Store,
    kills: Kills,
    observer: Arc<dyn Observer>,
    limits: Limits,
    lease: Duration,
    grace: Duration,
    /// This worker's name in leases.
    worker: String,
    /// Until when each instance is this worker's.
    held: HashMap<InstanceId, Instant>,
    nodes: Nodes,
}

impl KillTasks {
    /// The tasks of a store, which kill by `kills`.
    #[must_use]
    pub fn new(store: Store, kills: Kills, settings: &Settings, observer: Arc<dyn Observer>) -> Self {
        Self {
            store,
            kills,
            observer,
            limits: settings.limits,
            lease: settings.lease,
            grace: settings.grace,
            worker: format!("{}-{}", std::process::id(), Uuid::new_v4().simple()),
            held: HashMap::new(),
            nodes: Nodes::default(),
        }
    }

    /// Runs tasks until `shutdown`. A kill that was begun by then is ended and written down; a look at a node is given up.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let running = TaskTracker::new();
        let mut seconds = interval(EVERY);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut store_fails = false;
        while shutdown.run_until_cancelled(seconds.tick()).await.is_some() {
            let begun = self.begin_rounds(&running, &shutdown).await;
            match &begun {
                // Once, not each second.
                Err(error) if !store_fails => warn!(%error, "could not look for kill tasks; will try again"),
                Ok(()) if store_fails => info!("can look for kill tasks again"),
                _ => {}
            }
            store_fails = begun.is_err();
        }
        running.close();
        if timeout(self.grace, running.wait()).await.is_err() {
            warn!(rounds.running = running.len(), "stopping while kill tasks still kill");
        }
        if let Err(error) = self.store.release_kill_rounds(&self.worker).await {
            warn!(%error, "could not hand back kill tasks; their lease will lapse");
        }
    }

    async fn begin_rounds(&mut self, running: &TaskTracker, shutdown: &CancellationToken) -> Result<(), StoreError> {
        let all = self.store.kill_rounds().await?;
        self.held.retain(|held, _| all.iter().any(|rounds| rounds.instance_id == *held));
        let mut looked_at = HashSet::new();
        for rounds in all {
            if let Some(until) = self.hold(&rounds.instance_id).await? {
                looked_at.extend(self.begin(&rounds, until, running, shutdown).await?);
            }
        }
        for node in self.nodes.keep(&looked_at) {
            self.observer.looks_every(&node, None);
        }
        Ok(())
    }

    /// Until when the instance is this worker's; nothing if it is another's. A lease is renewed once a third of it is over.
    async fn hold(&mut self, instance: &InstanceId) -> Result<Option<Instant>, StoreError> {
        let now = Instant::now();
        if let Some(until) = self.held.get(instance).filter(|until| **until > now + self.lease * 2 / 3) {
            return Ok(Some(*until));
        }
        if self.store.hold_kill_rounds(instance, &self.worker, self.lease).await? {
            self.held.insert(instance.clone(), now + self.lease);
            return Ok(Some(now + self.lease));
        }
        self.held.remove(instance);
        Ok(None)
    }

    /// A round on each node of the instance that has none under way and need not be spared. Says which nodes there are.
    async fn begin(
        &self,
        rounds: &KillRounds,
        until: Instant,
        running: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<Vec<NodeId>, StoreError> {
        let mut nodes = Vec::new();
        for node in self.store.nodes_to_read(&rounds.instance_id).await? {
            nodes.push(node.id.clone());
            let Some(place) = self.nodes.begin(&node.id, Instant::now()) else { continue };
            let round = Round {
                store: self.store.clone(),
                kills: self.kills.clone(),
                observer: self.observer.clone(),
                limits: self.limits,
                worker: self.worker.clone(),
                rounds: rounds.clone(),
                until,
                node,
            };
            running.spawn(round.run(place, shutdown.clone()));
        }
        Ok(nodes)
    }
}

impl fmt::Debug for KillTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KillTasks").field("worker", &self.worker).finish_non_exhaustive()
    }
}
