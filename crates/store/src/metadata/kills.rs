//! Kills: written down before they are sent, ended together with their rows in the audit.

use clew_model::{AuditEvent, DomainId, InstanceId, NodeId, Origin, Outcome, Page, ProjectId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::change::Change;
use super::rows::{parsed, parsed_if_there, signed};
use crate::database::{Row, query, query_scalar};
use crate::error::StoreError;
use crate::kills::{KillEnd, KillFilter, KillSource, KilledSession, NewKill};
use crate::store::Store;

/// What the audit calls a kill.
const OPERATION: &str = "KillSession";

const MATCHING: &str = "FROM killed_sessions WHERE instance_id = $1 AND ($2 IS NULL OR node_id = $2) \
     AND ($3 IS NULL OR source = $3) AND ($4 IS NULL OR task_id = $4) \
     AND ($5 IS NULL OR asked_at >= $5) AND ($6 IS NULL OR asked_at < $6)";

impl Store {
    /// Writes down who is about to be killed. Only once this returns may the kills be sent: should Clew end in between, the rows stay,
    /// without an outcome. Returns their numbers, in the same order, for [`Store::end_kills`].
    pub async fn begin_kills(&self, kills: &[NewKill]) -> Result<Vec<i64>, StoreError> {
        let failed = StoreError::database("write down a kill");
        let now = self.clock.milliseconds();
        let mut transaction = self.database.begin_writing().await.map_err(&failed)?;
        let mut ids = Vec::with_capacity(kills.len());
        for kill in kills {
            let id = query_scalar(
                "INSERT INTO killed_sessions (project_id, instance_id, node_id, source, task_id, kind, reason, session_id, \
                     \"user\", host, db, command, seconds, state, template, asked_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING id",
            )
            .bind(kill.project_id.as_str())
            .bind(kill.instance_id.as_str())
            .bind(kill.node_id.as_str())
            .bind(kill.source.name())
            .bind(&kill.task_id)
            .bind(kill.kind)
            .bind(&kill.reason)
            .bind(signed(kill.session_id))
            .bind(&kill.user)
            .bind(&kill.host)
            .bind(&kill.database)
            .bind(&kill.command)
            .bind(signed(kill.seconds))
            .bind(&kill.state)
            .bind(&kill.template)
            .bind(now)
            .fetch_one(&mut transaction)
            .await
            .map_err(&failed)?;
            ids.push(id);
        }
        transaction.commit().await.map_err(&failed)?;
        Ok(ids)
    }

    /// Writes down what became of kills, each with its particulars, and a row of the audit for each. One that was unknown becomes known;
    /// one that has ended stays as it is.
    pub async fn end_kills(&self, by: &Origin, ends: &[(i64, KillEnd, String)]) -> Result<(), StoreError> {
        let mut change = self.change("write down what became of a kill").await?;
        self.end_in(&mut change, by, ends).await?;
        change.commit().await
    }

    /// Ends the kills that were written down before a moment, in milliseconds since 1970 (UTC), and have no outcome: Clew ended in
    /// between. Returns how many there were.
    pub async fn end_lost_kills(&self, before: i64) -> Result<u64, StoreError> {
        const WHAT: &str = "Clew ended before the outcome was written down: whether the kill was sent is not known";
        let lost: Vec<i64> =
            query_scalar("SELECT id FROM killed_sessions WHERE outcome IS NULL AND asked_at < $1 ORDER BY id")
                .bind(before)
                .fetch_all(&self.database)
                .await
                .map_err(StoreError::database("look for kills that were lost"))?;
        if lost.is_empty() {
            return Ok(0);
        }
        let mut change = self.change("end kills that were lost").await?;
        let ends: Vec<_> = lost.into_iter().map(|id| (id, KillEnd::Unknown, WHAT.to_owned())).collect();
        self.end_in(&mut change, &Origin::clew(), &ends).await?;
        change.commit().await?;
        Ok(ends.len() as u64)
    }

    async fn end_in(
        &self,
        change: &mut Change<'_>,
        by: &Origin,
        ends: &[(i64, KillEnd, String)],
    ) -> Result<(), StoreError> {
        let failed = change.failed();
        let now = self.clock.milliseconds();
        let mut events = Vec::with_capacity(ends.len());
        for (id, outcome, detail) in ends {
            let rows = query(
                "UPDATE killed_sessions SET outcome = $1, detail = $2, ended_at = $3 \
                 WHERE id = $4 AND (outcome IS NULL OR outcome = 'unknown') \
                 RETURNING *, (SELECT p.domain_id FROM projects p WHERE p.id = project_id) AS domain_id",
            )
            .bind(outcome.name())
            .bind(detail)
            .bind(now)
            .bind(id)
            .fetch_all(change.connection())
            .await
            .map_err(&failed)?;
            for row in &rows {
                let domain = parsed_if_there(row, "domain_id")?;
                events.push(event(by, domain, &killed(row)?));
            }
        }
        let events: Vec<_> = events.iter().map(|event| (now, event)).collect();
        change.append(&self.keys, &events).await
    }

    /// Kills, the newest first, and how many there are in all.
    pub async fn killed_sessions(
        &self,
        filter: &KillFilter,
        page: Page,
    ) -> Result<(Vec<KilledSession>, u64), StoreError> {
        let failed = StoreError::database("list kills");
        let total: i64 = query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) {MATCHING}")))
            .bind(filter.instance_id.as_str())
            .bind(filter.node_id.as_ref().map(NodeId::as_str))
            .bind(filter.source.map(KillSource::name))
            .bind(&filter.task_id)
            .bind(filter.from)
            .bind(filter.to)
            .fetch_one(&self.database)
            .await
            .map_err(&failed)?;
        let statement = format!("SELECT * {MATCHING} ORDER BY asked_at DESC, id DESC LIMIT $7 OFFSET $8");
        let rows = query(AssertSqlSafe(statement))
            .bind(filter.instance_id.as_str())
            .bind(filter.node_id.as_ref().map(NodeId::as_str))
            .bind(filter.source.map(KillSource::name))
            .bind(&filter.task_id)
            .bind(filter.from)
            .bind(filter.to)
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.database)
            .await
            .map_err(&failed)?;
        let kills: Result<_, _> = rows.iter().map(killed).collect();
        Ok((kills?, total.unsigned_abs()))
    }

    /// Removes kills that were written down before a moment, in milliseconds since 1970 (UTC). Returns how many.
    pub async fn remove_kills_before(&self, moment: i64) -> Result<u64, StoreError> {
        let removed = query("DELETE FROM killed_sessions WHERE asked_at < $1 AND outcome IS NOT NULL")
            .bind(moment)
            .execute(&self.database)
            .await
            .map_err(StoreError::database("remove old kills"))?;
        Ok(removed)
    }
}

fn event(by: &Origin, domain_id: Option<DomainId>, kill: &KilledSession) -> AuditEvent {
    let outcome = kill.outcome.unwrap_or(KillEnd::Unknown);
    AuditEvent {
        domain_id,
        project_id: Some(kill.project_id.clone()),
        instance_id: Some(kill.instance_id.clone()),
        node_id: Some(kill.node_id.clone()),
        outcome: if outcome.is_success() { Outcome::Done } else { Outcome::Failed },
        detail: json!({
            "source": kill.source.name(), "task": kill.task_id, "kind": kill.kind, "reason": kill.reason,
            "user": kill.user, "host": kill.host, "db": kill.database, "command": kill.command, "seconds": kill.seconds,
            "state": kill.state, "statement": kill.template, "asked_at": kill.asked_at,
            "outcome": outcome.name(), "detail": kill.detail,
        }),
        ..AuditEvent::done(by, OPERATION, kill.session_id.to_string())
    }
}

fn killed(row: &Row) -> Result<KilledSession, StoreError> {
    let failed = StoreError::database("read a kill");
    let text = |column| row.try_get::<String, _>(column).map_err(&failed);
    let may_be_text = |column| row.try_get::<Option<String>, _>(column).map_err(&failed);
    let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs).map_err(&failed);
    let damaged = |what, reason| StoreError::Damaged { what, reason };
    let source = text("source")?;
    let end = |name: String| KillEnd::from_name(&name).ok_or_else(|| damaged("outcome of a kill", name));
    Ok(KilledSession {
        id: row.try_get("id").map_err(&failed)?,
        project_id: parsed::<ProjectId>(row, "project_id")?,
        instance_id: parsed::<InstanceId>(row, "instance_id")?,
        node_id: parsed::<NodeId>(row, "node_id")?,
        source: KillSource::from_name(&source).ok_or_else(|| damaged("source of a kill", source))?,
        task_id: may_be_text("task_id")?,
        kind: text("kind")?,
        reason: text("reason")?,
        session_id: count("session_id")?,
        user: text("user")?,
        host: text("host")?,
        database: may_be_text("db")?,
        command: text("command")?,
        seconds: count("seconds")?,
        state: may_be_text("state")?,
        template: may_be_text("template")?,
        asked_at: row.try_get("asked_at").map_err(&failed)?,
        outcome: may_be_text("outcome")?.map(end).transpose()?,
        detail: may_be_text("detail")?,
        ended_at: row.try_get("ended_at").map_err(&failed)?,
    })
}
