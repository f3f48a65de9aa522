//! The queue of intelligent kills. Unlike a collection one is taken up once only: whom it meant is decided when it runs, so a second
//! try would kill others. `docs/decisions/0011-intelligent-kill.md` says more.

use std::time::Duration;

use clew_model::{Actor, AuditEvent, Origin, Outcome, Page, TaskStatus};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::rows::{milliseconds, parsed, parsed_if_there};
use crate::database::{Row, query, query_scalar};
use crate::error::StoreError;
use crate::intelligent_kills::{IntelligentKill, IntelligentKillFilter, IntelligentKillId, NewIntelligentKill};
use crate::store::Store;

/// What the audit calls the end of one.
const OPERATION: &str = "EndIntelligentKill";

/// The oldest that waits, of a node where none runs.
const CLAIM: &str = "UPDATE intelligent_kills SET status = 'running', lease_until = $1 + $2 \
     WHERE id = (SELECT w.id FROM intelligent_kills w WHERE w.status = 'queued' AND w.id >= $3 \
           AND NOT EXISTS (SELECT 1 FROM intelligent_kills r WHERE r.node_id = w.node_id AND r.status = 'running') \
           AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = w.node_id AND n.zone NOT IN ({zones})) \
         ORDER BY w.id LIMIT 1) \
     RETURNING *";

/// Those that nobody will end: they waited for too long, or whoever ran them is gone.
const LOST: &str = "SELECT * FROM intelligent_kills \
     WHERE (status = 'queued' AND id < $1) OR (status = 'running' AND lease_until <= $2) ORDER BY id";

const MATCHING: &str = "SELECT * FROM intelligent_kills \
     WHERE instance_id = $1 AND node_id = $2 AND id >= $3 AND id < $4 AND ended_at IS NOT NULL";

impl Store {
    /// Queues an intelligent kill. Fails with [`StoreError::QueueFull`] where `limit` of its node wait already.
    pub async fn insert_intelligent_kill(
        &self,
        new: &NewIntelligentKill,
        limit: u32,
    ) -> Result<IntelligentKillId, StoreError> {
        let Actor::User { id: actor, name, domain_id } = &new.by.actor else {
            return Err(StoreError::Damaged { what: "who asks", reason: format!("{} is no user", new.by.actor) });
        };
        // Two of one millisecond follow one another.
        let failed = StoreError::database("queue an intelligent kill");
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        let mut ids: Vec<i64> = query_scalar(
            "INSERT INTO intelligent_kills (id, project_id, instance_id, node_id, actor_id, actor_name, actor_domain_id, peer, \
                 request_id, status) \
             SELECT (SELECT MAX(id) FROM (SELECT $1 AS id UNION ALL SELECT MAX(id) + 1 FROM intelligent_kills) AS ids), $2, $3, $4, $5, $6, $7, $8, $9, 'queued' \
             WHERE (SELECT COUNT(*) FROM intelligent_kills WHERE node_id = $4 AND status = 'queued') < $10 \
             RETURNING id",
        )
        .bind(self.clock.milliseconds())
        .bind(new.project_id.as_str())
        .bind(new.instance_id.as_str())
        .bind(new.node_id.as_str())
        .bind(actor.as_str())
        .bind(name)
        .bind(domain_id.as_str())
        .bind(new.by.peer.map(|peer| peer.to_string()))
        .bind(&new.by.request_id)
        .bind(limit)
        .fetch_all(&mut transaction)
        .await
        .map_err(&failed)?;
        transaction.commit().await.map_err(failed)?;
        let full = || StoreError::QueueFull { node: new.node_id.clone(), limit };
        ids.pop().map(IntelligentKillId).ok_or_else(full)
    }

    /// Takes up the oldest intelligent kill that waits, and was asked for no longer ago than `fresh`. Within `lease` it must have ended.
    pub async fn claim_intelligent_kill(
        &self,
        lease: Duration,
        fresh: Duration,
    ) -> Result<Option<IntelligentKill>, StoreError> {
        let failed = StoreError::database("take up an intelligent kill");
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        let now = self.clock.milliseconds();
        let claim = CLAIM.replace("{zones}", &self.database.texts("$4"));
        let row = query(AssertSqlSafe(claim))
            .bind(now)
            .bind(milliseconds(lease))
            .bind(now.saturating_sub(milliseconds(fresh)))
            .bind(self.own_zones())
            .fetch_optional(&mut transaction)
            .await
            .map_err(&failed)?;
        transaction.commit().await.map_err(failed)?;
        row.as_ref().map(kill).transpose()
    }

    /// Ends one that runs, with the reason if it could not do its work, and writes that to the audit. False, and nothing changed, if it
    /// does not run.
    pub async fn end_intelligent_kill(
        &self,
        id: IntelligentKillId,
        reason: Option<&str>,
        victims: u64,
    ) -> Result<bool, StoreError> {
        self.end_one(id, TaskStatus::Running, reason, Some(victims)).await
    }

    /// Ends those that were asked for longer than `fresh` ago and never taken up, and those that were not ended in time. Returns them as
    /// they were.
    pub async fn end_lost_intelligent_kills(&self, fresh: Duration) -> Result<Vec<IntelligentKill>, StoreError> {
        const STALE: &str = "it was not taken up in time, and was not begun: by now it would end other sessions than were meant. \
             Look at the preview, and ask again";
        const LOST_IN_THE_MIDST: &str = "Clew ended in the midst of it. Whom it killed before that is in its file";
        let now = self.clock.milliseconds();
        let rows = query(LOST)
            .bind(now.saturating_sub(milliseconds(fresh)))
            .bind(now)
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("look for intelligent kills that were lost"))?;
        let mut ended = Vec::new();
        for lost in rows.iter().map(kill).collect::<Result<Vec<_>, _>>()? {
            let reason = if lost.status == TaskStatus::Queued { STALE } else { LOST_IN_THE_MIDST };
            if self.end_one(lost.id, lost.status, Some(reason), None).await? {
                ended.push(lost);
            }
        }
        Ok(ended)
    }

    async fn end_one(
        &self,
        id: IntelligentKillId,
        from: TaskStatus,
        reason: Option<&str>,
        victims: Option<u64>,
    ) -> Result<bool, StoreError> {
        let mut change = self.change("end an intelligent kill").await?;
        let status = if reason.is_some() { TaskStatus::Error } else { TaskStatus::Finished };
        let rows = query(
            "UPDATE intelligent_kills SET status = $1, reason = $2, ended_at = $3, lease_until = NULL \
             WHERE id = $4 AND status = $5 RETURNING *",
        )
        .bind(status.name())
        .bind(reason)
        .bind(self.clock.milliseconds())
        .bind(id.0)
        .bind(from.name())
        .fetch_all(change.connection())
        .await
        .map_err(change.failed())?;
        let Some(row) = rows.first() else { return Ok(false) };
        let asked = kill(row)?.asked;
        let domain_id = match &asked.by.actor {
            Actor::User { domain_id, .. } => Some(domain_id.clone()),
            _ => None,
        };
        let event = AuditEvent {
            domain_id,
            project_id: Some(asked.project_id),
            instance_id: Some(asked.instance_id),
            node_id: Some(asked.node_id),
            outcome: if reason.is_some() { Outcome::Failed } else { Outcome::Done },
            detail: json!({ "victims": victims, "reason": reason }),
            ..AuditEvent::done(&asked.by, OPERATION, id.to_string())
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// An intelligent kill by its name.
    pub async fn intelligent_kill(&self, id: IntelligentKillId) -> Result<Option<IntelligentKill>, StoreError> {
        let row = query("SELECT * FROM intelligent_kills WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up an intelligent kill"))?;
        row.as_ref().map(kill).transpose()
    }

    /// Those that match, the newest first, and how many there are in all.
    pub async fn intelligent_kills(
        &self,
        filter: &IntelligentKillFilter,
        page: Page,
    ) -> Result<(Vec<IntelligentKill>, u64), StoreError> {
        let failed = StoreError::database("list intelligent kills");
        let statement = format!("SELECT COUNT(*) FROM ({MATCHING}) AS matching");
        let total: i64 = query_scalar(AssertSqlSafe(statement))
            .bind(filter.instance_id.as_str())
            .bind(filter.node_id.as_str())
            .bind(filter.from)
            .bind(filter.to)
            .fetch_one(&self.database)
            .await
            .map_err(&failed)?;
        let statement = format!("{MATCHING} ORDER BY id DESC LIMIT $5 OFFSET $6");
        let rows = query(AssertSqlSafe(statement))
            .bind(filter.instance_id.as_str())
            .bind(filter.node_id.as_str())
            .bind(filter.from)
            .bind(filter.to)
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.database)
            .await
            .map_err(&failed)?;
        Ok((rows.iter().map(kill).collect::<Result<_, _>>()?, total.unsigned_abs()))
    }

    /// Removes those that ended before a moment, in milliseconds since 1970 (UTC). Returns how many.
    pub async fn remove_intelligent_kills_before(&self, moment: i64) -> Result<u64, StoreError> {
        let removed = query("DELETE FROM intelligent_kills WHERE ended_at < $1")
            .bind(moment)
            .execute(&self.database)
            .await
            .map_err(StoreError::database("remove old intelligent kills"))?;
        Ok(removed)
    }
}

fn kill(row: &Row) -> Result<IntelligentKill, StoreError> {
    let failed = StoreError::database("read an intelligent kill");
    let status: String = row.try_get("status").map_err(&failed)?;
    let by = Origin {
        actor: Actor::User {
            id: parsed(row, "actor_id")?,
            name: row.try_get("actor_name").map_err(&failed)?,
            domain_id: parsed(row, "actor_domain_id")?,
        },
        peer: parsed_if_there(row, "peer")?,
        request_id: row.try_get("request_id").map_err(&failed)?,
    };
    Ok(IntelligentKill {
        id: IntelligentKillId(row.try_get("id").map_err(&failed)?),
        asked: NewIntelligentKill {
            by,
            project_id: parsed(row, "project_id")?,
            instance_id: parsed(row, "instance_id")?,
            node_id: parsed(row, "node_id")?,
        },
        status: TaskStatus::from_name(&status)
            .ok_or_else(|| StoreError::Damaged { what: "status of an intelligent kill", reason: status })?,
        reason: row.try_get("reason").map_err(&failed)?,
        ended_at: row.try_get("ended_at").map_err(&failed)?,
    })
}
