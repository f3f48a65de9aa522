//! Detects replication appliers that cannot be recognised by the account and command in the process list.
//!
//! While a MySQL 9.7 replication applier runs a trigger, the process list shows the trigger definer's account.

use std::collections::HashSet;

use clew_diagnose::is_internal_session;
use clew_model::{Failure, Session};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::statements;

/// Value of the `Command` column for replication threads and for clients that are still logging in.
const PROCESS_LIST_CONNECT_COMMAND: &[u8] = b"Connect";

/// Returns the ids of replication appliers that [`is_internal_session`] does not detect.
/// A session that runs a statement with the command `Connect` is an applier if performance_schema does not list it.
/// A client with the command `Connect` cannot run statements, because its login is not complete.
pub(super) async fn find_replication_appliers(
    connection: &mut Connection,
    sessions: impl Iterator<Item = &Session>,
) -> Result<HashSet<u64>, Failure> {
    let candidates: Vec<&Session> =
        sessions.filter(|session| !is_internal_session(session) && may_be_replication_applier(session)).collect();
    if connection.flavor == Flavor::MariaDb || candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = candidates.iter().map(|session| session.id).collect();
    let query = statements::replication_applier_query(&ids);
    let rows: Vec<(u64, bool)> = connection.read_optional_rows(&query).await?;
    let applies = |session: &Session| match rows.iter().find(|(id, _)| *id == session.id) {
        Some((_, applies)) => *applies,
        None => session.command == PROCESS_LIST_CONNECT_COMMAND && session.statement.is_some(),
    };
    Ok(candidates.into_iter().filter(|session| applies(session)).map(|session| session.id).collect())
}

/// In the process list, the client address of every remote client contains a port.
/// For remote clients, the process list shows the command `Connect` only until the login is complete.
fn may_be_replication_applier(session: &Session) -> bool {
    session.host_without_port().len() == session.host.len() || session.command == PROCESS_LIST_CONNECT_COMMAND
}
