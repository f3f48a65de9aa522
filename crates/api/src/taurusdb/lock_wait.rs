//! ShowLockWaitSession (spec section 2.3).

use std::borrow::Cow;

use axum::extract::{Path, RawQuery, State};
use clew_diagnose::clean;
use clew_diagnose::waits::{self, Party, PartyFacts, Wait, WaitGraph};
use clew_iam::decision::Action;
use clew_model::ErrorEntry;
use clew_mysql::read_waits;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::caller::{Caller, Target};
use crate::json::Json;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use crate::statement_text::statement_text;

/// Why a session does not get on; empty if it waits for nobody.
#[derive(Serialize, ToSchema)]
pub(crate) struct LockWaitAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    abnormal_root_cause: Option<AbnormalRootCause>,
}

/// Why a session does not get on.
#[derive(Serialize, ToSchema)]
pub(crate) struct AbnormalRootCause {
    /// LOCK_WAIT
    #[schema(example = "LOCK_WAIT")]
    abnormal_type: &'static str,
    lock_root_cause: LockRootCause,
}

/// What a session waits for, and the root blocker behind it. What is not known is left out.
#[derive(Serialize, ToSchema, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct LockRootCause {
    /// The session that was asked about
    locked_pid: u64,
    /// What it runs
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_sql: Option<String>,
    /// Since when it waits
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_seconds: Option<u64>,
    /// Where the lock is
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_db: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_index: Option<String>,
    /// What it asks for: IX, X, X,GAP, X,REC_NOT_GAP, …; of other locks their own names
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "X,REC_NOT_GAP")]
    lock_mode: Option<Cow<'static, str>>,
    /// The locked row; left out where the project masks statements
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_data: Option<String>,
    /// The root blocker's session; none for a prepared transaction whose session is gone
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_pid: Option<u64>,
    /// RUNNING, LOCK WAIT, ROLLING BACK or COMMITTING
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_state: Option<String>,
    /// Seconds since its transaction began
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_rows_locked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_rows_modified: Option<u64>,
    /// What it runs; if it runs nothing, what its transaction ran last, oldest first
    blocker_current_sql: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_command: Option<String>,
    /// The same as blocker_pid: what KILL takes
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker_thread_id: Option<u64>,
}

/// Ask what a session waits for, and who is at the root of it.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/process/lock-wait",
    tag = "sessions",
    params(
        ("project_id" = String, Path), ("instance_id" = String, Path), ("node_id" = String, Path),
        ("pid" = u64, Query, minimum = 1, description = "The session")
    ),
    responses(
        (status = 200, description = "What it waits for; an empty object if for nobody", body = LockWaitAnswer),
        (status = 400, description = "Invalid parameter value", body = ErrorBody),
        (status = 500, description = "The node cannot be read; the message says why", body = ErrorBody)
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<LockWaitAnswer>, Refusal> {
    let target = Target::to_read(&service, &caller, Action::LIST_PROCESSES, &path).await?;
    let pid = pid(&Query::parse(query.as_deref())?)?;
    let node = &target.node;
    let observed = service.read_node(node, async |limits| read_waits(&node.url, &limits).await).await?;
    let Some(asked) = observed.sessions.iter().find(|facts| facts.session.id == pid) else {
        return Err(Refusal::because(ErrorEntry::UNKNOWN_NODE, "no-such-session", vec![("id", pid.to_string())]));
    };
    let masked = target.is_masked_for(&service, &caller);
    let graph = waits::graph(&observed);
    let graph = if masked { graph.masked() } else { graph };
    let cause = of_a_wait(&graph, pid).or_else(|| {
        // It waits, but its blocker cannot be seen: what is known of it is worth more than nothing.
        graph.unexplained.iter().find(|unexplained| unexplained.session == pid)?;
        let statement = asked.session.statement.as_deref();
        let shown = |statement: &[u8]| statement_text(statement, masked);
        Some(LockRootCause { locked_pid: pid, locked_sql: statement.map(shown), ..LockRootCause::default() })
    });
    let cause = cause.map(|cause| AbnormalRootCause { abnormal_type: "LOCK_WAIT", lock_root_cause: cause });
    Ok(Json(LockWaitAnswer { abnormal_root_cause: cause }))
}

fn pid(query: &Query) -> Result<u64, Refusal> {
    let given = query.required("pid")?;
    given.parse().ok().filter(|&pid| pid > 0).ok_or_else(|| Query::wrong("pid", given))
}

/// The wait of a session, and the first root behind it (DESIGN.md section 6).
fn of_a_wait(graph: &WaitGraph, pid: u64) -> Option<LockRootCause> {
    let waiter = Party::Session(pid);
    let root = *graph.roots_of(waiter).first()?;
    let leads_to_root =
        |wait: &&Wait| root.parties.contains(&wait.blocker) || graph.roots_of(wait.blocker).contains(&root);
    let wait = graph.waits_of(waiter).iter().find(leads_to_root)?;
    // In a cycle everybody is at the root, the waiter perhaps too: then it is the one that it waits for.
    let at_root = |party: Party| root.parties.contains(&party);
    let blocker = if at_root(wait.blocker) { wait.blocker } else { *root.parties.first()? };
    let cause = LockRootCause {
        locked_pid: pid,
        locked_sql: graph.facts(waiter).and_then(PartyFacts::statement).map(clean),
        wait_seconds: wait.seconds,
        lock_db: wait.on.schema.clone(),
        lock_table: wait.on.name.clone(),
        lock_index: wait.on.index.clone(),
        lock_mode: Some(wait.wanted.clone()),
        lock_data: wait.on.data.clone(),
        blocker_pid: blocker.session(),
        blocker_thread_id: blocker.session(),
        ..LockRootCause::default()
    };
    Some(match graph.facts(blocker) {
        Some(facts) => with_blocker(cause, facts),
        None => cause,
    })
}

fn with_blocker(cause: LockRootCause, facts: &PartyFacts) -> LockRootCause {
    let transaction = facts.transaction.as_ref().map(|facts| &facts.transaction);
    let session = facts.session.as_ref();
    let running = facts.statement().map(clean);
    LockRootCause {
        blocker_state: transaction.map(|transaction| transaction.state.to_string()),
        blocker_age: transaction.map(|transaction| transaction.seconds),
        blocker_rows_locked: transaction.map(|transaction| transaction.rows_locked),
        blocker_rows_modified: transaction.map(|transaction| transaction.rows_modified),
        blocker_current_sql: match running {
            Some(statement) => vec![statement],
            None => facts.last_statements.iter().map(|statement| clean(statement)).collect(),
        },
        blocker_host: session.map(|session| clean(&session.host)),
        blocker_command: session.map(|session| clean(&session.command)),
        ..cause
    }
}
