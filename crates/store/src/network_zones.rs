//! Network zones and the heartbeats of their workers (see `docs/decisions/0028-zones.md`).

use std::time::Duration;

use clew_model::{FailureKind, NetworkZone};

use crate::database::group_commit::BatchedWrite;
use crate::database::{Transaction, duration_to_millis, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::ZoneStore;

/// Network zone with its number of nodes and its number of active workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneState {
    /// Name of the zone, or `None` for the nodes without a zone. All workers can connect to nodes without a zone.
    pub zone: Option<NetworkZone>,
    /// Number of nodes.
    pub nodes: u64,
    /// Number of active workers.
    pub workers: u64,
}

impl ZoneState {
    /// Returns true if the zone has nodes but no active worker.
    #[must_use]
    pub fn lacks_workers(&self) -> bool {
        self.nodes > 0 && self.workers == 0
    }
}

/// A worker is active if its last heartbeat is at most this old.
const WORKER_HEARTBEAT_TTL: Duration = Duration::from_secs(20);
const INACTIVE_WORKER_RETENTION: Duration = Duration::from_hours(1);

impl ZoneStore<'_> {
    /// Records a heartbeat of a worker. The next heartbeat is due within 20 seconds.
    pub async fn record_worker_heartbeat(self, name: &str) -> Result<(), StoreError> {
        let now = self.store.clock.unix_millis();
        self.store
            .execute_write_in_batch(WorkerHeartbeatWrite {
                name: name.to_owned(),
                zones: self.store.reachable_zones_json(),
                now,
            })
            .await
    }

    /// Deletes a stopped worker's row from the `workers` table.
    pub async fn remove_worker(self, name: &str) -> Result<(), StoreError> {
        let delete = query("remove a worker", "DELETE FROM workers WHERE name = $1", params![name]);
        delete.execute(&self.store.database).await.map(drop)
    }

    /// Marks queued tasks as failed if they are older than `after` and their network zone has no active worker.
    /// Returns the number of tasks whose status the function changed from queued to failed.
    pub async fn fail_tasks_in_zones_without_workers(self, after: Duration) -> Result<u64, StoreError> {
        let now = self.store.clock.unix_millis();
        let unserved: Vec<_> = self.list_zone_states().await?.into_iter().filter(ZoneState::lacks_workers).collect();
        let mut ended = 0;
        for zone in unserved.iter().filter_map(|state| state.zone.as_ref()) {
            let sql = "UPDATE tasks SET status = 'error', failure_kind = $1, failure_detail = $2, ended_at = $3 \
                WHERE status = 'queued' AND zone = $4 AND created_at < $5";
            let parameters = params![
                FailureKind::Unreachable.name(),
                format!("its node is in zone {zone}, which has no active worker"),
                now,
                zone,
                now.saturating_sub(duration_to_millis(after))
            ];
            ended += query("end collections in zones without workers", sql, parameters)
                .execute(&self.store.database)
                .await?;
        }
        Ok(ended)
    }

    /// Returns the zones that have nodes or active workers, sorted by name.
    /// The first element of the returned list describes the nodes without a zone.
    pub async fn list_zone_states(self) -> Result<Vec<ZoneState>, StoreError> {
        let sql = "SELECT zone, COUNT(*) FROM nodes GROUP BY zone";
        let nodes: Vec<(String, i64)> =
            query_as("list the zones of workers", sql, params![]).fetch_all(&self.store.database).await?;
        let since = self.store.clock.unix_millis().saturating_sub(duration_to_millis(WORKER_HEARTBEAT_TTL));
        let sql = "SELECT zones, COUNT(*) FROM workers WHERE seen_at > $1 GROUP BY zones";
        let workers: Vec<(String, i64)> =
            query_as("list the zones of workers", sql, params![since]).fetch_all(&self.store.database).await?;
        let mut states = vec![ZoneState { zone: None, nodes: 0, workers: 0 }];
        for (zone, count) in nodes {
            get_or_insert_zone_state(&mut states, &zone)?.nodes += count.unsigned_abs();
        }
        for (zones, count) in workers {
            let zones: Vec<String> =
                serde_json::from_str(&zones).map_err(StoreError::corrupt_value_error("zones of a worker"))?;
            for zone in zones {
                get_or_insert_zone_state(&mut states, &zone)?.workers += count.unsigned_abs();
            }
        }
        states.sort_by(|one, other| one.zone.cmp(&other.zone));
        Ok(states)
    }
}

fn get_or_insert_zone_state<'a>(states: &'a mut Vec<ZoneState>, name: &str) -> Result<&'a mut ZoneState, StoreError> {
    let zone = parse_zone_name(name)?;
    let at = states.iter().position(|state| state.zone == zone).unwrap_or_else(|| {
        states.push(ZoneState { zone, nodes: 0, workers: 0 });
        states.len() - 1
    });
    states.get_mut(at).ok_or(StoreError::Stopped)
}

/// An empty zone name represents nodes without a zone.
pub(crate) fn parse_zone_name(name: &str) -> Result<Option<NetworkZone>, StoreError> {
    if name.is_empty() { Ok(None) } else { name.parse().map(Some).map_err(StoreError::corrupt_value_error("zone")) }
}

struct WorkerHeartbeatWrite {
    name: String,
    zones: String,
    now: i64,
}

impl BatchedWrite for WorkerHeartbeatWrite {
    type Output = ();

    fn action(&self) -> &'static str {
        "record the heartbeat of a worker"
    }

    async fn execute_write(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let sql = "INSERT INTO workers (name, zones, seen_at) VALUES ($1, $2, $3) \
            ON CONFLICT (name) DO UPDATE SET zones = excluded.zones, seen_at = excluded.seen_at";
        query(self.action(), sql, params![&self.name, &self.zones, self.now]).execute(&mut *transaction).await?;
        let parameters = params![self.now.saturating_sub(duration_to_millis(INACTIVE_WORKER_RETENTION))];
        query(self.action(), "DELETE FROM workers WHERE seen_at < $1", parameters).execute(transaction).await?;
        Ok(())
    }
}
