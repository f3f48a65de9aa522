//! Reads the data for the session detail view.

use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_model::{Failure, LimitationKind, NodeUrl, Session, Transaction};

use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::elapsed_times::{self, ElapsedTimeCheckScope};
use crate::locks::{LockWaits, query_lock_waits};
use crate::sql_statements;

const MAX_STATEMENT_BYTES_IN_SESSION_DETAIL: usize = 8 << 20;

/// Session with its open transaction, latest statements, connection attributes and wait graph.
#[derive(Debug)]
pub struct DetailedSession {
    /// Process list row of the session. A statement longer than 8 MiB is truncated.
    pub session: Session,
    /// True if the statement of the session has been truncated.
    pub is_truncated: bool,
    /// Open transaction.
    pub transaction: Option<Transaction>,
    /// Latest statements in the open transaction, oldest first.
    /// If performance_schema does not record transactions, `last_statements` contains the session's latest statements.
    pub last_statements: Vec<Vec<u8>>,
    /// Names and values of the connection attributes sent by the client.
    pub attributes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Part of the wait graph that contains the session, its blockers and its waiters.
    pub graph: WaitGraph,
}

/// Reads the details of a session. Returns `None` if the process list does not contain the session id.
///
/// Fails after the read timeout.
/// If the function fails or its future is dropped, Clew kills the function's running query on the server.
pub async fn read_session_detail(
    node: &NodeUrl,
    id: u64,
    connector: &NodeConnector,
) -> Result<Option<DetailedSession>, Failure> {
    Connection::run(node, connector, "reading a session", async |connection| {
        let LockWaits { mut graph, transactions, mut last_statements, .. } =
            query_lock_waits(connection, Some(id)).await?;
        let found = read_process_list_row(connection, id).await?;
        graph.limitations.append(&mut connection.limitations);
        graph.limitations.dedup();
        // A limitation already names the reason.
        let closed = graph.limitations.iter().any(|gap| gap.kind == LimitationKind::NoPerformanceSchema);
        let attributes = if found.is_none() || closed {
            Vec::new()
        } else {
            // A limitation already names a missing privilege.
            let query = sql_statements::connection_attributes_query(id);
            connection.read_rows_ignoring_server_errors(&query).await?
        };
        let Some((session, is_cut)) = found else { return Ok(None) };
        let transaction = transactions.into_iter().map(|facts| facts.transaction).find(|open| open.session_id == id);
        Ok(Some(DetailedSession {
            session,
            is_truncated: is_cut,
            transaction,
            last_statements: last_statements.remove(&id).unwrap_or_default(),
            attributes,
            graph: extract_session_wait_graph(graph, id),
        }))
    })
    .await
}

/// Reads a session from the process list. The returned flag is true if the statement of the session was truncated.
async fn read_process_list_row(connection: &mut Connection, id: u64) -> Result<Option<(Session, bool)>, Failure> {
    let mut found = None;
    let select = |mut session: Session| {
        if session.id == id {
            let mut is_cut = false;
            if let Some(statement) = &mut session.statement {
                is_cut = statement.len() > MAX_STATEMENT_BYTES_IN_SESSION_DETAIL;
                statement.truncate(MAX_STATEMENT_BYTES_IN_SESSION_DETAIL);
            }
            found = Some((session, is_cut));
        }
        Ok(())
    };
    connection.for_each_session(MAX_STATEMENT_BYTES_IN_SESSION_DETAIL + (4 << 10), select).await?;
    let checked = found.iter_mut().map(|(session, _)| session).collect();
    elapsed_times::correct_elapsed_times(connection, checked, ElapsedTimeCheckScope::All).await?;
    Ok(found)
}

/// Reduces the wait graph to session `id` and the sessions that block it or wait for it, directly or indirectly.
fn extract_session_wait_graph(mut graph: WaitGraph, id: u64) -> WaitGraph {
    let session = WaitParticipant::Session(id);
    let mut reachable = graph.waiter_and_transitive_blockers(session);
    let freed = graph.find_waiters_unblocked_by(&[session]);
    reachable.extend(freed);
    reachable.extend(graph.waits.iter().filter(|wait| wait.blocker == session).map(|wait| wait.waiter));
    graph.waits.retain(|wait| reachable.contains(&wait.waiter) && reachable.contains(&wait.blocker));
    graph.roots.retain(|root| root.parties.iter().any(|party| reachable.contains(party)));
    graph.parties.retain(|facts| reachable.contains(&facts.party));
    graph.cycles.retain(|cycle| cycle.iter().any(|party| reachable.contains(party)));
    graph.unexplained.retain(|unexplained| unexplained.session == id);
    graph.vanished.retain(|party| reachable.contains(party));
    graph
}
