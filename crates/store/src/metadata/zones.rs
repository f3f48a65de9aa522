//! Who is at work, and in which zones. `docs/decisions/0028-zones.md` says why it is so.

use std::time::Duration;

use clew_model::{FailureKind, Zone};

use super::batches::Write;
use super::rows::milliseconds;
use crate::database::{Connection, query, query_pair};
use crate::error::StoreError;
use crate::store::Store;
use crate::zones::ZoneState;

/// A worker that was not heard of for so long is gone.
const GONE: Duration = Duration::from_secs(20);
/// A row of one is kept so long.
const FORGOTTEN: Duration = Duration::from_hours(1);

impl Store {
    /// The same store for a process that is in these zones: what it takes up is in one of them, or in none.
    #[must_use]
    pub fn in_zones(mut self, zones: Vec<Zone>) -> Self {
        self.zones = zones.into();
        self
    }

    /// Whether this process may read a node that is in this zone, or in none.
    #[must_use]
    pub fn reaches(&self, zone: Option<&Zone>) -> bool {
        zone.is_none_or(|zone| self.zones.contains(zone))
    }

    /// The zones of this process, and none, as a list in JSON.
    pub(crate) fn own_zones(&self) -> String {
        let zones: Vec<&str> = std::iter::once("").chain(self.zones.iter().map(Zone::as_str)).collect();
        serde_json::json!(zones).to_string()
    }

    /// Says that a worker is at work, in the zones of this process. It has to say so again within 20 seconds.
    pub async fn worker_is_at_work(&self, name: &str) -> Result<(), StoreError> {
        let now = self.clock.milliseconds();
        self.write(AtWork { name: name.to_owned(), zones: self.own_zones(), now }).await
    }

    /// Says that a worker is at work no more.
    pub async fn worker_has_stopped(&self, name: &str) -> Result<(), StoreError> {
        let removed = query("DELETE FROM workers WHERE name = $1").bind(name).execute(&self.database).await;
        removed.map(drop).map_err(StoreError::database("say that a worker has stopped"))
    }

    /// Ends collections that have waited longer than `after` for a worker of a zone in which none is at work. Returns how many.
    pub async fn end_deserted(&self, after: Duration) -> Result<u64, StoreError> {
        let now = self.clock.milliseconds();
        let deserted: Vec<_> = self.zones().await?.into_iter().filter(ZoneState::is_deserted).collect();
        let mut ended = 0;
        for zone in deserted.iter().filter_map(|state| state.zone.as_ref()) {
            ended += query(
                "UPDATE tasks SET status = 'error', failure_kind = $1, failure_detail = $2, ended_at = $3 \
                 WHERE status = 'queued' AND zone = $4 AND created_at < $5",
            )
            .bind(FailureKind::Unreachable.name())
            .bind(format!("its node is in zone {zone}, and no worker of that zone is at work"))
            .bind(now)
            .bind(zone.as_str())
            .bind(now.saturating_sub(milliseconds(after)))
            .execute(&self.database)
            .await
            .map_err(StoreError::database("end collections that no worker reaches"))?;
        }
        Ok(ended)
    }

    /// Every zone that nodes or workers at work are in, in their order, with what is in none first.
    pub async fn zones(&self) -> Result<Vec<ZoneState>, StoreError> {
        let failed = StoreError::database("look for workers");
        let nodes: Vec<(String, i64)> = query_pair("SELECT zone, COUNT(*) FROM nodes GROUP BY zone")
            .fetch_all(&self.database)
            .await
            .map_err(&failed)?;
        let since = self.clock.milliseconds().saturating_sub(milliseconds(GONE));
        let workers: Vec<(String, i64)> =
            query_pair("SELECT zones, COUNT(*) FROM workers WHERE seen_at > $1 GROUP BY zones")
                .bind(since)
                .fetch_all(&self.database)
                .await
                .map_err(failed)?;
        let mut states = vec![ZoneState { zone: None, nodes: 0, workers: 0 }];
        for (zone, count) in nodes {
            state_of(&mut states, &zone)?.nodes += count.unsigned_abs();
        }
        for (zones, count) in workers {
            let zones: Vec<String> = serde_json::from_str(&zones).map_err(StoreError::damaged("zones of a worker"))?;
            for zone in zones {
                state_of(&mut states, &zone)?.workers += count.unsigned_abs();
            }
        }
        states.sort_by(|one, other| one.zone.cmp(&other.zone));
        Ok(states)
    }
}

/// The state of the zone of this name, "" for none.
fn state_of<'a>(states: &'a mut Vec<ZoneState>, name: &str) -> Result<&'a mut ZoneState, StoreError> {
    let zone = zone(name)?;
    let at = states.iter().position(|state| state.zone == zone).unwrap_or_else(|| {
        states.push(ZoneState { zone, nodes: 0, workers: 0 });
        states.len() - 1
    });
    states.get_mut(at).ok_or(StoreError::Stopped)
}

/// A zone as it is stored.
pub(super) fn zone(name: &str) -> Result<Option<Zone>, StoreError> {
    if name.is_empty() { Ok(None) } else { name.parse().map(Some).map_err(StoreError::damaged("zone")) }
}

struct AtWork {
    name: String,
    zones: String,
    now: i64,
}

impl Write for AtWork {
    type Answer = ();
    const DOING: &'static str = "say that a worker is at work";

    async fn write(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let failed = StoreError::database(Self::DOING);
        query(
            "INSERT INTO workers (name, zones, seen_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET zones = excluded.zones, seen_at = excluded.seen_at",
        )
        .bind(&self.name)
        .bind(&self.zones)
        .bind(self.now)
        .execute(&mut *connection)
        .await
        .map_err(&failed)?;
        query("DELETE FROM workers WHERE seen_at < $1")
            .bind(self.now.saturating_sub(milliseconds(FORGOTTEN)))
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(())
    }
}
