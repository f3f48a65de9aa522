//! Queue of intelligent kills (see `docs/decisions/0011-intelligent-kill.md`).
//! A failed intelligent kill is not retried, because a retry could select and kill different sessions.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clew_model::{
    Actor, AuditEvent, AuditOrigin, AuditOutcome, CollectionTaskStatus, InstanceId, NodeId, Pagination, ProjectId,
};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::{FromRow, Row, duration_to_millis, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::KillStore;

/// Id of an intelligent kill: the request time as a Unix timestamp in milliseconds.
/// If the request time does not exceed the highest stored id, the id is the highest stored id plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntelligentKillId(pub(crate) i64);

impl IntelligentKillId {
    /// Returns the request time of the intelligent kill, as a Unix timestamp in milliseconds.
    #[must_use]
    pub fn requested_at_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for IntelligentKillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

/// Error returned for text that is not a valid [`IntelligentKillId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the id of an intelligent kill has 13 digits")]
pub struct ParseIntelligentKillIdError;

impl FromStr for IntelligentKillId {
    type Err = ParseIntelligentKillIdError;

    fn from_str(text: &str) -> Result<Self, ParseIntelligentKillIdError> {
        let digits = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self).ok_or(ParseIntelligentKillIdError)
    }
}

/// Request for an intelligent kill.
#[derive(Debug, Clone)]
pub struct IntelligentKillRequest {
    /// User that requested the intelligent kill.
    pub by: AuditOrigin,
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node on which sessions are killed.
    pub node_id: NodeId,
}

/// Stored intelligent kill.
#[derive(Debug, Clone)]
pub struct IntelligentKill {
    /// Unique id.
    pub id: IntelligentKillId,
    /// The request.
    pub request: IntelligentKillRequest,
    /// Current state.
    pub status: CollectionTaskStatus,
    /// Reason why the intelligent kill failed, or `None` if it has not failed.
    /// A failed intelligent kill may have killed some of the selected sessions.
    pub reason: Option<String>,
    /// End time as a Unix timestamp in milliseconds. `None` until the intelligent kill has ended.
    pub ended_at: Option<i64>,
}

/// Filter for completed intelligent kills by node and request time (Unix timestamp in milliseconds).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntelligentKillFilter {
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node on which sessions were killed.
    pub node_id: NodeId,
    /// Start of the range of request times, inclusive, as a Unix timestamp in milliseconds.
    pub from: i64,
    /// End of the range of request times (exclusive).
    pub to: i64,
}

/// Queries list the columns explicitly, because a prepared `SELECT *` fails on PostgreSQL after an upgrade adds a column.
macro_rules! intelligent_kill_columns {
    () => {
        "id, project_id, instance_id, node_id, actor_id, actor_name, actor_domain_id, peer, request_id, status, \
         reason, ended_at"
    };
}

const END_INTELLIGENT_KILL_OPERATION_NAME: &str = "EndIntelligentKill";

/// Clew executes at most one intelligent kill per node at a time.
const CLAIM_OLDEST_KILL_SQL: &str = concat!(
    "UPDATE intelligent_kills SET status = 'running', lease_until = $1 + $2 \
     WHERE id = (SELECT w.id FROM intelligent_kills w WHERE w.status = 'queued' AND w.id >= $3 \
           AND NOT EXISTS (SELECT 1 FROM intelligent_kills r WHERE r.node_id = w.node_id AND r.status = 'running') \
           AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = w.node_id AND n.zone NOT IN ({zones})) \
         ORDER BY w.id LIMIT 1) RETURNING ",
    intelligent_kill_columns!()
);

const SELECT_STALE_KILLS_SQL: &str = concat!(
    "SELECT ",
    intelligent_kill_columns!(),
    " FROM intelligent_kills \
     WHERE (status = 'queued' AND id < $1) OR (status = 'running' AND lease_until <= $2) ORDER BY id"
);

const SELECT_FINISHED_KILLS_SQL: &str = concat!(
    "SELECT ",
    intelligent_kill_columns!(),
    " FROM intelligent_kills \
     WHERE instance_id = $1 AND node_id = $2 AND id >= $3 AND id < $4 AND ended_at IS NOT NULL"
);

impl KillStore<'_> {
    /// Enqueues an intelligent kill.
    /// Returns [`StoreError::QueueFull`] if the node's queue already contains `limit` intelligent kills.
    pub async fn insert_intelligent_kill(
        self,
        new: &IntelligentKillRequest,
        limit: u32,
    ) -> Result<IntelligentKillId, StoreError> {
        let Actor::User { id: actor, name, domain_id } = &new.by.actor else {
            return Err(StoreError::Damaged { what: "requester", reason: format!("{} is not a user", new.by.actor) });
        };
        // Concurrent requests in the same millisecond get consecutive ids.
        let mut transaction = self.store.database.begin_write_transaction("queue an intelligent kill").await?;
        let sql = "INSERT INTO intelligent_kills (id, project_id, instance_id, node_id, actor_id, actor_name, \
                actor_domain_id, peer, request_id, status) \
            SELECT (SELECT MAX(id) FROM (SELECT $1 AS id UNION ALL SELECT MAX(id) + 1 FROM intelligent_kills) AS \
                ids), $2, $3, $4, $5, $6, $7, $8, $9, 'queued' \
            WHERE (SELECT COUNT(*) FROM intelligent_kills WHERE node_id = $4 AND status = 'queued') < $10 \
            RETURNING id";
        let parameters = params![
            self.store.clock.unix_millis(),
            &new.project_id,
            &new.instance_id,
            &new.node_id,
            actor,
            name,
            domain_id,
            new.by.peer.map(|peer| peer.to_string()),
            &new.by.request_id,
            limit
        ];
        let mut ids: Vec<i64> =
            query_as("queue an intelligent kill", sql, parameters).fetch_all(&mut transaction).await?;
        transaction.commit("queue an intelligent kill").await?;
        let full = || StoreError::QueueFull { node: new.node_id.clone(), limit };
        ids.pop().map(IntelligentKillId).ok_or_else(full)
    }

    /// Claims the oldest queued intelligent kill that is at most `max_age` old and whose node is reachable and not busy.
    /// The claim expires after `lease`.
    pub async fn claim_intelligent_kill(
        self,
        lease: Duration,
        max_age: Duration,
    ) -> Result<Option<IntelligentKill>, StoreError> {
        let mut transaction = self.store.database.begin_write_transaction("claim an intelligent kill").await?;
        let now = self.store.clock.unix_millis();
        let claim =
            CLAIM_OLDEST_KILL_SQL.replace("{zones}", &self.store.database.subquery_for_json_array_strings("$4"));
        let parameters = params![
            now,
            duration_to_millis(lease),
            now.saturating_sub(duration_to_millis(max_age)),
            self.store.reachable_zones_json()
        ];
        let row = query("claim an intelligent kill", AssertSqlSafe(claim), parameters)
            .fetch_optional(&mut transaction)
            .await?;
        transaction.commit("claim an intelligent kill").await?;
        row.as_ref().map(IntelligentKill::from_row).transpose()
    }

    /// Marks an intelligent kill as finished or, if `reason` is set, as failed.
    /// Returns false and changes nothing if the intelligent kill is not running.
    pub async fn finish_intelligent_kill(
        self,
        id: IntelligentKillId,
        reason: Option<&str>,
        victims: u64,
    ) -> Result<bool, StoreError> {
        self.record_intelligent_kill_completion(id, CollectionTaskStatus::Running, reason, Some(victims)).await
    }

    /// Marks intelligent kills as failed if they waited in the queue for longer than `max_age` or if their lease has expired.
    /// Returns the intelligent kills that were marked as failed, with their previous statuses.
    pub async fn mark_stale_intelligent_kills_failed(
        self,
        max_age: Duration,
    ) -> Result<Vec<IntelligentKill>, StoreError> {
        const EXPIRED_KILL_FAILURE_REASON: &str = "the kill expired in the queue and was not started, because it \
        could kill other sessions than intended. \
             Check the preview and request the kill again";
        const INTERRUPTED_KILL_FAILURE_REASON: &str =
            "Clew terminated during the kill. The report lists the sessions that were killed before";
        let now = self.store.clock.unix_millis();
        let parameters = params![now.saturating_sub(duration_to_millis(max_age)), now];
        let stale: Vec<IntelligentKill> =
            query_as("look for expired intelligent kills", SELECT_STALE_KILLS_SQL, parameters)
                .fetch_all(&self.store.database)
                .await?;
        let mut ended = Vec::new();
        for lost in stale {
            let reason = if lost.status == CollectionTaskStatus::Queued {
                EXPIRED_KILL_FAILURE_REASON
            } else {
                INTERRUPTED_KILL_FAILURE_REASON
            };
            if self.record_intelligent_kill_completion(lost.id, lost.status, Some(reason), None).await? {
                ended.push(lost);
            }
        }
        Ok(ended)
    }

    async fn record_intelligent_kill_completion(
        self,
        id: IntelligentKillId,
        from: CollectionTaskStatus,
        reason: Option<&str>,
        victims: Option<u64>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("end an intelligent kill").await?;
        let status = if reason.is_some() { CollectionTaskStatus::Error } else { CollectionTaskStatus::Finished };
        let sql = concat!(
            "UPDATE intelligent_kills SET status = $1, reason = $2, ended_at = $3, lease_until = NULL \
             WHERE id = $4 AND status = $5 RETURNING ",
            intelligent_kill_columns!()
        );
        let parameters = params![status.name(), reason, self.store.clock.unix_millis(), id.0, from.name()];
        let kills: Vec<IntelligentKill> = tx.fetch_all(sql, parameters).await?;
        let Some(IntelligentKill { request, .. }) = kills.into_iter().next() else { return Ok(false) };
        let domain_id = match &request.by.actor {
            Actor::User { domain_id, .. } => Some(domain_id.clone()),
            _ => None,
        };
        let event = AuditEvent {
            domain_id,
            project_id: Some(request.project_id),
            instance_id: Some(request.instance_id),
            node_id: Some(request.node_id),
            outcome: if reason.is_some() { AuditOutcome::Failed } else { AuditOutcome::Succeeded },
            detail: json!({ "victims": victims, "reason": reason }),
            ..AuditEvent::for_successful_operation(&request.by, END_INTELLIGENT_KILL_OPERATION_NAME, id.to_string())
        };
        tx.commit_with_event(&event).await?;
        Ok(true)
    }

    /// Returns an intelligent kill by id.
    pub async fn find_intelligent_kill(self, id: IntelligentKillId) -> Result<Option<IntelligentKill>, StoreError> {
        let sql = concat!("SELECT ", intelligent_kill_columns!(), " FROM intelligent_kills WHERE id = $1");
        query_as("look up an intelligent kill", sql, params![id.0]).fetch_optional(&self.store.database).await
    }

    /// Returns a page of matching intelligent kills, newest first, and the total number of matches.
    pub async fn list_intelligent_kills(
        self,
        filter: &IntelligentKillFilter,
        page: Pagination,
    ) -> Result<(Vec<IntelligentKill>, u64), StoreError> {
        let matching_params = || params![&filter.instance_id, &filter.node_id, filter.from, filter.to];
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM ({SELECT_FINISHED_KILLS_SQL}) AS matching"));
        let list = AssertSqlSafe(format!("{SELECT_FINISHED_KILLS_SQL} ORDER BY id DESC LIMIT $5 OFFSET $6"));
        let count = query_as("list intelligent kills", count, matching_params());
        let total: i64 = count.fetch_one(&self.store.database).await?;
        let parameters = matching_params().into_iter().chain(params![page.limit, page.offset]);
        let kills = query_as("list intelligent kills", list, parameters).fetch_all(&self.store.database).await?;
        Ok((kills, total.unsigned_abs()))
    }

    /// Removes intelligent kills that ended before `cutoff`, a Unix timestamp in milliseconds.
    /// Returns the number of removed intelligent kills.
    pub async fn remove_intelligent_kills_finished_before(self, cutoff: i64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM intelligent_kills WHERE ended_at < $1";
        query("remove old intelligent kills", sql, params![cutoff]).execute(&self.store.database).await
    }
}

impl FromRow for IntelligentKill {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let by = AuditOrigin {
            actor: Actor::User {
                id: row.get("actor_id")?,
                name: row.get("actor_name")?,
                domain_id: row.get("actor_domain_id")?,
            },
            peer: row.get("peer")?,
            request_id: row.get("request_id")?,
        };
        Ok(Self {
            id: IntelligentKillId(row.get("id")?),
            request: IntelligentKillRequest {
                by,
                project_id: row.get("project_id")?,
                instance_id: row.get("instance_id")?,
                node_id: row.get("node_id")?,
            },
            status: row.parse_column("status", "status of an intelligent kill", CollectionTaskStatus::from_name)?,
            reason: row.get("reason")?,
            ended_at: row.get("ended_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_13_digits() {
        let id: IntelligentKillId = "1775616550000".parse().unwrap();
        assert_eq!((id.requested_at_millis(), id.to_string().as_str()), (1_775_616_550_000, "1775616550000"));
        for wrong in ["", "1", "+775616550000", "17756165500000", "177561655000x", "１７７５６"] {
            assert!(wrong.parse::<IntelligentKillId>().is_err(), "{wrong}");
        }
    }
}
