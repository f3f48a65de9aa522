//! Records of kills and their outcomes.

use std::borrow::Cow;

use clew_model::{AuditEvent, AuditOrigin, AuditOutcome, DomainId, InstanceId, NodeId, Pagination, ProjectId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::audited_transaction::AuditedTransaction;
use crate::database::{FromRow, Parameter, Row, count_to_i64_saturating, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::KillStore;

clew_model::named_enum! {
    /// Source of a kill.
    pub enum KillSource {
        /// A user selected the session.
        Manual = "manual",
        /// An intelligent kill.
        Intelligent = "intelligent",
        /// A kill task.
        Task = "task",
    }
}

clew_model::named_enum! {
    /// Outcome of a kill.
    pub enum RecordedKillOutcome {
        /// The session or its statement was terminated.
        Killed = "killed",
        /// The server accepted the kill and is rolling back the session's transaction.
        RollingBack = "rolling_back",
        /// The server accepted the kill, but the session has not terminated yet.
        Ending = "ending",
        /// The session terminated before Clew sent the kill to the server.
        AlreadyGone = "already_gone",
        /// Clew refused the kill, for example because the session is protected or the session id was reused.
        Refused = "refused",
        /// The kill failed because the server was unreachable or rejected the request.
        Failed = "failed",
        /// Clew terminated before it recorded the outcome of the kill.
        Unknown = "unknown",
    }
}

impl RecordedKillOutcome {
    /// Returns true for the outcomes `Killed`, `RollingBack`, `Ending` and `AlreadyGone`.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack | Self::Ending | Self::AlreadyGone)
    }
}

/// Kill record, written before Clew sends the `KILL` statement. Invalid UTF-8 in text fields is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKillRecord {
    /// Project that contains the instance.
    pub project_id: ProjectId,
    /// Instance that contains the node.
    pub instance_id: InstanceId,
    /// Node of the session.
    pub node_id: NodeId,
    /// Source of the kill.
    pub source: KillSource,
    /// Id of the intelligent kill or kill task that performed the kill, if any.
    pub task_id: Option<String>,
    /// Target of the kill: `connection` for the session, or `query` for only the current statement.
    pub kind: Cow<'static, str>,
    /// Reason that the user gave for the kill, or an empty string.
    pub reason: String,
    /// Id of the session on the server.
    pub session_id: u64,
    /// Account of the session.
    pub user: String,
    /// Address of the client.
    pub host: String,
    /// Default database.
    pub database: Option<String>,
    /// Command type.
    pub command: String,
    /// Time in the current state, in seconds.
    pub seconds: u64,
    /// State of the session.
    pub state: Option<String>,
    /// Template of the statement. Clew does not store the statement itself.
    pub template: Option<String>,
}

/// Recorded kill. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillRecord {
    /// Unique id. Newer kills have higher ids.
    pub id: i64,
    /// Kill record that Clew stores before it sends the `KILL` statement to the server.
    pub request: NewKillRecord,
    /// Time when Clew recorded the kill, immediately before it sent the kill to the server.
    pub requested_at: i64,
    /// Outcome of the kill, or `None` if no outcome has been recorded.
    pub outcome: Option<RecordedKillOutcome>,
    /// Details of the outcome.
    pub detail: Option<String>,
    /// Time when the outcome was recorded.
    pub ended_at: Option<i64>,
}

/// Filter for kill records. A field that is `None` does not restrict the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillFilter {
    /// Instance of the kill.
    pub instance_id: InstanceId,
    /// Node of the kill.
    pub node_id: Option<NodeId>,
    /// Source of the kill.
    pub source: Option<KillSource>,
    /// Id of the intelligent kill or kill task that performed the kill, if any.
    pub task_id: Option<String>,
    /// Matches kills recorded at or after this Unix timestamp in milliseconds.
    pub from: Option<i64>,
    /// Matches kills recorded before this Unix timestamp in milliseconds.
    pub to: Option<i64>,
}

impl KillFilter {
    /// Creates a filter that matches all kills on an instance.
    #[must_use]
    pub fn for_instance(instance_id: InstanceId) -> Self {
        Self { instance_id, node_id: None, source: None, task_id: None, from: None, to: None }
    }
}

const KILL_SESSION_OPERATION_NAME: &str = "KillSession";

const MATCHING_KILLS_FROM_CLAUSE: &str = "FROM killed_sessions WHERE instance_id = $1 AND ($2 IS NULL OR node_id = $2) \
     AND ($3 IS NULL OR source = $3) AND ($4 IS NULL OR task_id = $4) \
     AND ($5 IS NULL OR asked_at >= $5) AND ($6 IS NULL OR asked_at < $6)";

/// Queries list the columns, because a prepared `SELECT *` fails on PostgreSQL after an upgrade adds a column.
macro_rules! kill_columns {
    () => {
        "id, project_id, instance_id, node_id, source, task_id, kind, reason, session_id, \"user\", host, db, \
         command, seconds, \
         state, template, asked_at, outcome, detail, ended_at"
    };
}

impl KillStore<'_> {
    /// Stores a record of each kill before Clew executes the kill. [`KillStore::record_kill_outcomes`] adds the outcome.
    /// Returns the ids of the recorded kills, in the same order as `kills`.
    pub async fn insert_kill_records(self, kills: &[NewKillRecord]) -> Result<Vec<i64>, StoreError> {
        let now = self.store.clock.unix_millis();
        let mut transaction = self.store.database.begin_write_transaction("record a kill").await?;
        let mut ids = Vec::with_capacity(kills.len());
        for kill in kills {
            let sql = "INSERT INTO killed_sessions (project_id, instance_id, node_id, source, task_id, kind, reason, \
                session_id, \
                    \"user\", host, db, command, seconds, state, template, asked_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING id";
            let parameters = params![
                &kill.project_id,
                &kill.instance_id,
                &kill.node_id,
                kill.source.name(),
                &kill.task_id,
                kill.kind.as_ref(),
                &kill.reason,
                count_to_i64_saturating(kill.session_id),
                &kill.user,
                &kill.host,
                &kill.database,
                &kill.command,
                count_to_i64_saturating(kill.seconds),
                &kill.state,
                &kill.template,
                now
            ];
            let id = query_as("record a kill", sql, parameters).fetch_one(&mut transaction).await?;
            ids.push(id);
        }
        transaction.commit("record a kill").await?;
        Ok(ids)
    }

    /// Records the outcomes of kills and appends an audit event for each kill.
    /// Replaces a recorded kill outcome only if that outcome is `Unknown`.
    pub async fn record_kill_outcomes(
        self,
        by: &AuditOrigin,
        ends: &[(i64, RecordedKillOutcome, String)],
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin_audited_transaction("record the outcome of a kill").await?;
        self.write_kill_outcomes(&mut tx, by, ends).await?;
        tx.commit().await
    }

    /// Records the outcome `Unknown` for kills without an outcome, for example after a crash of a Clew process.
    /// Does not change kills recorded at or after `before`, a Unix timestamp in milliseconds.
    /// Returns the number of kills whose outcome was recorded as `Unknown`.
    pub async fn record_interrupted_kills_as_unknown(self, before: i64) -> Result<u64, StoreError> {
        const UNKNOWN_KILL_OUTCOME_DETAIL: &str =
            "Clew terminated before the outcome was recorded: it is unknown whether the kill was sent";
        let sql = "SELECT id FROM killed_sessions WHERE outcome IS NULL AND asked_at < $1 ORDER BY id";
        let lost: Vec<i64> =
            query_as("look for interrupted kills", sql, params![before]).fetch_all(&self.store.database).await?;
        if lost.is_empty() {
            return Ok(0);
        }
        let mut tx = self.store.begin_audited_transaction("record the outcome of interrupted kills").await?;
        let ends: Vec<_> = lost
            .into_iter()
            .map(|id| (id, RecordedKillOutcome::Unknown, UNKNOWN_KILL_OUTCOME_DETAIL.to_owned()))
            .collect();
        self.write_kill_outcomes(&mut tx, &AuditOrigin::for_internal_operation(), &ends).await?;
        tx.commit().await?;
        Ok(ends.len() as u64)
    }

    async fn write_kill_outcomes(
        self,
        tx: &mut AuditedTransaction,
        by: &AuditOrigin,
        ends: &[(i64, RecordedKillOutcome, String)],
    ) -> Result<(), StoreError> {
        let now = self.store.clock.unix_millis();
        let mut events = Vec::with_capacity(ends.len());
        for (id, outcome, detail) in ends {
            let sql = concat!(
                "UPDATE killed_sessions SET outcome = $1, detail = $2, ended_at = $3 \
                 WHERE id = $4 AND (outcome IS NULL OR outcome = 'unknown') RETURNING ",
                kill_columns!(),
                ", (SELECT p.domain_id FROM projects p WHERE p.id = project_id) AS domain_id"
            );
            let rows: Vec<Row> = tx.fetch_all(sql, params![outcome.name(), detail, now, id]).await?;
            for row in &rows {
                let domain = row.get("domain_id")?;
                events.push(build_kill_audit_event(by, domain, &KillRecord::from_row(row)?));
            }
        }
        let events: Vec<_> = events.iter().map(|event| (now, event)).collect();
        tx.append_events(&self.store.keys, &events).await
    }

    /// Returns a page of the kills that match `filter`, newest first, and the total number of matching kills.
    pub async fn list_kills(self, filter: &KillFilter, page: Pagination) -> Result<(Vec<KillRecord>, u64), StoreError> {
        let count = format!("SELECT COUNT(*) {MATCHING_KILLS_FROM_CLAUSE}");
        let count = query_as("list kills", AssertSqlSafe(count), kill_filter_parameters(filter));
        let total: i64 = count.fetch_one(&self.store.database).await?;
        let list = format!(
            "SELECT {} {MATCHING_KILLS_FROM_CLAUSE} ORDER BY asked_at DESC, id DESC LIMIT $7 OFFSET $8",
            kill_columns!()
        );
        let parameters = kill_filter_parameters(filter).into_iter().chain(params![page.limit, page.offset]);
        let kills = query_as("list kills", AssertSqlSafe(list), parameters).fetch_all(&self.store.database).await?;
        Ok((kills, total.unsigned_abs()))
    }

    /// Removes the records of completed kills that were requested before `cutoff`, a Unix timestamp in milliseconds.
    /// Returns the number of removed kills.
    pub async fn remove_kill_records_before(self, cutoff: i64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM killed_sessions WHERE asked_at < $1 AND outcome IS NOT NULL";
        query("remove old kills", sql, params![cutoff]).execute(&self.store.database).await
    }
}

fn kill_filter_parameters(filter: &KillFilter) -> [Parameter<'_>; 6] {
    params![
        &filter.instance_id,
        filter.node_id.as_ref(),
        filter.source.map(KillSource::name),
        &filter.task_id,
        filter.from,
        filter.to
    ]
}

fn build_kill_audit_event(by: &AuditOrigin, domain_id: Option<DomainId>, kill: &KillRecord) -> AuditEvent {
    let request = &kill.request;
    let outcome = kill.outcome.unwrap_or(RecordedKillOutcome::Unknown);
    AuditEvent {
        domain_id,
        project_id: Some(request.project_id.clone()),
        instance_id: Some(request.instance_id.clone()),
        node_id: Some(request.node_id.clone()),
        outcome: if outcome.is_success() { AuditOutcome::Succeeded } else { AuditOutcome::Failed },
        detail: json!({
            "source": request.source.name(), "task": request.task_id, "kind": request.kind, "reason": request.reason,
            "user": request.user, "host": request.host, "db": request.database, "command": request.command,
            "seconds": request.seconds, "state": request.state, "statement": request.template,
            "asked_at": kill.requested_at,
            "outcome": outcome.name(), "detail": kill.detail,
        }),
        ..AuditEvent::for_successful_operation(by, KILL_SESSION_OPERATION_NAME, request.session_id.to_string())
    }
}

impl FromRow for KillRecord {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let outcome: Option<String> = row.get("outcome")?;
        let parse_outcome = |name: String| {
            RecordedKillOutcome::from_name(&name)
                .ok_or_else(|| StoreError::Damaged { what: "outcome of a kill", reason: name })
        };
        Ok(Self {
            id: row.get("id")?,
            request: NewKillRecord {
                project_id: row.get("project_id")?,
                instance_id: row.get("instance_id")?,
                node_id: row.get("node_id")?,
                source: row.parse_column("source", "source of a kill", KillSource::from_name)?,
                task_id: row.get("task_id")?,
                kind: row.get::<String>("kind")?.into(),
                reason: row.get("reason")?,
                session_id: row.get("session_id")?,
                user: row.get("user")?,
                host: row.get("host")?,
                database: row.get("db")?,
                command: row.get("command")?,
                seconds: row.get("seconds")?,
                state: row.get("state")?,
                template: row.get("template")?,
            },
            requested_at: row.get("asked_at")?,
            outcome: outcome.map(parse_outcome).transpose()?,
            detail: row.get("detail")?,
            ended_at: row.get("ended_at")?,
        })
    }
}
