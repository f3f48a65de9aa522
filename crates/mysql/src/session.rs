//! All that is known of one session, for somebody who looks at it.

use std::collections::BTreeSet;

use crate::client::Error;
use clew_diagnose::waits::{Party, WaitGraph, graph};
use clew_model::{Failure, LimitationKind, NodeUrl, Session, Transaction};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::limits::Limits;
use crate::locks::observe;
use crate::statement_ages::{self, Checked};
use crate::{failure, sessions, statements};

/// Bytes of a statement that are handed out. A longer one is cut.
const LONGEST: usize = 8 << 20;

/// A session with everything around it.
#[derive(Debug)]
pub struct WholeSession {
    /// Its row, with the whole of its statement, or the first 8 MiB.
    pub session: Session,
    /// Whether there was more of the statement.
    pub is_cut: bool,
    /// Its open transaction.
    pub transaction: Option<Transaction>,
    /// The latest statements of its transaction, oldest first; of the session, where the server does not follow transactions.
    pub last_statements: Vec<Vec<u8>>,
    /// What its client told of itself.
    pub attributes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The waits of the node, this session's among them; and what could not be read.
    pub graph: WaitGraph,
}

/// Reads a session; nothing where there is none of this id, or none that the account may see.
///
/// Fails with the reason, within the limits; what was under way on the server when this fails or is dropped is killed there.
pub async fn read_session(node: &NodeUrl, id: u64, limits: &Limits) -> Result<Option<WholeSession>, Failure> {
    let reading = failure::without_panic(node, Box::pin(read(node, id, limits)));
    let read = timeout(limits.node, reading).await;
    read.unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "reading a session", limits.node)))
}

async fn read(node: &NodeUrl, id: u64, limits: &Limits) -> Result<Option<WholeSession>, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let mut observed = observe(&mut connection, Some(id)).await?;
    let found = whole(&mut connection, id).await?;
    observed.limitations.append(&mut connection.limitations);
    observed.limitations.dedup();
    // Then why not stands among the limitations.
    let closed = observed.limitations.iter().any(|gap| gap.kind == LimitationKind::NoPerformanceSchema);
    let attributes = if found.is_none() || closed { Vec::new() } else { attributes(&mut connection, id).await? };
    connection.close().await;
    let Some((session, is_cut)) = found else { return Ok(None) };
    let transaction = observed.transactions.iter().map(|facts| &facts.transaction).find(|open| open.session_id == id);
    let transaction = transaction.cloned();
    let last_statements = observed.last_statements.get(&id).cloned().unwrap_or_default();
    let graph = graph(&observed);
    Ok(Some(WholeSession { session, is_cut, transaction, last_statements, attributes, graph: only(graph, id) }))
}

/// The session with its statement.
async fn whole(connection: &mut Connection, id: u64) -> Result<Option<(Session, bool)>, Failure> {
    let address = connection.address.clone();
    let lost = |error: Error| failure::from_client(&error, &address);
    let mut rows = sessions::read(connection, LONGEST + (4 << 10)).await.map_err(lost)?;
    let mut found = None;
    while let Some(mut session) = rows.next().await.map_err(lost)? {
        if session.id != id {
            continue;
        }
        let is_cut = session.statement.as_ref().is_some_and(|statement| statement.len() > LONGEST);
        if let Some(statement) = &mut session.statement {
            statement.truncate(LONGEST);
        }
        found = Some((session, is_cut));
    }
    let limitation = rows.limitation();
    connection.limitations.extend(limitation);
    let checked = found.iter_mut().map(|(session, _)| session).collect();
    statement_ages::check_sessions(connection, checked, Checked::All).await?;
    Ok(found)
}

async fn attributes(connection: &mut Connection, id: u64) -> Result<Vec<(Vec<u8>, Option<Vec<u8>>)>, Failure> {
    match connection.ask(&statements::attributes_of(id)).await {
        // That the account may not read it stands among the limitations too.
        Err(Error::Server(error)) if !failure::took_too_long(&error) => Ok(Vec::new()),
        asked => asked.map_err(|error| connection.failed(&error)),
    }
}

/// The waits that the session has part in: its own, on to their roots, and those for it.
fn only(mut graph: WaitGraph, id: u64) -> WaitGraph {
    let session = Party::Session(id);
    let mut before = vec![session];
    let mut met = BTreeSet::from([session]);
    while let Some(party) = before.pop() {
        before.extend(graph.waits_of(party).iter().map(|wait| wait.blocker).filter(|&blocker| met.insert(blocker)));
    }
    let for_it = graph.freed_by(&[session]);
    met.extend(for_it);
    met.extend(graph.waits.iter().filter(|wait| wait.blocker == session).map(|wait| wait.waiter));
    graph.waits.retain(|wait| met.contains(&wait.waiter) && met.contains(&wait.blocker));
    graph.roots.retain(|root| root.parties.iter().any(|party| met.contains(party)));
    graph.parties.retain(|facts| met.contains(&facts.party));
    graph.cycles.retain(|cycle| cycle.iter().any(|party| met.contains(party)));
    graph.unexplained.retain(|unexplained| unexplained.session == id);
    graph.vanished.retain(|party| met.contains(party));
    graph
}
