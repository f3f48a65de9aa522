//! Detects replication appliers that the process list does not identify by account or command.
//!
//! While a MySQL applier thread runs a trigger, its account is the trigger's definer (observed on 9.7).

use std::collections::HashSet;

use crate::client::Error;
use clew_diagnose::is_internal_session;
use clew_model::{Failure, Session};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{failure, statements};

/// Process list command that unauthenticated clients and replication threads have.
const CONNECT_COMMAND: &[u8] = b"Connect";

/// Returns the ids of replication appliers that [`is_internal_session`] does not detect.
/// Queries the server only if one of the sessions may be a replication applier.
///
/// A session that performance_schema does not list counts as an applier if it runs a statement before its login.
/// A client cannot run statements before its login.
pub(crate) async fn find_replication_appliers(
    connection: &mut Connection,
    sessions: impl Iterator<Item = &Session>,
) -> Result<HashSet<u64>, Failure> {
    let candidates: Vec<&Session> =
        sessions.filter(|session| !is_internal_session(session) && may_be_replication_applier(session)).collect();
    if connection.flavor == Flavor::MariaDb || candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = candidates.iter().map(|session| session.id).collect();
    let rows: Vec<(u64, bool)> = match connection.query_all(&statements::replication_applier_query(&ids)).await {
        Ok(rows) => rows,
        Err(Error::Server(error)) if !failure::is_server_timeout(&error) => Vec::new(),
        Err(error) => return Err(connection.to_failure(&error)),
    };
    let applies = |session: &Session| match rows.iter().find(|(id, _)| *id == session.id) {
        Some((_, applies)) => *applies,
        None => session.command == CONNECT_COMMAND && session.statement.is_some(),
    };
    Ok(candidates.into_iter().filter(|session| applies(session)).map(|session| session.id).collect())
}

/// Returns whether a session may be a replication applier instead of a remote client.
/// The process list shows a port for each remote client. Authenticated clients never have the command `Connect`.
fn may_be_replication_applier(session: &Session) -> bool {
    session.host_without_port().len() == session.host.len() || session.command == CONNECT_COMMAND
}
