//! Sessions that are threads of the server, though neither account nor command tells: on MySQL, a thread that applies what
//! replication brings has the account of a trigger's definer for as long as it is in the trigger (seen on 9.7).

use std::collections::HashSet;

use crate::client::Error;
use clew_diagnose::is_internal;
use clew_model::{Failure, Session};

use crate::connection::Connection;
use crate::server::Flavor;
use crate::{failure, statements};

/// Command of a client that is not yet signed in, and of threads of replication.
const SIGNS_IN: &[u8] = b"Connect";

/// Which of these sessions apply what replication brings, beyond those that [`is_internal`] knows. The server is asked only where one
/// of them looks as no client over a network does. Where it cannot tell, whoever runs a statement before it has signed in
/// is taken for one: clients run none then.
pub(crate) async fn among(
    connection: &mut Connection,
    sessions: impl Iterator<Item = &Session>,
) -> Result<HashSet<u64>, Failure> {
    let doubtful: Vec<&Session> = sessions.filter(|session| !is_internal(session) && is_doubtful(session)).collect();
    if connection.flavor == Flavor::MariaDb || doubtful.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = doubtful.iter().map(|session| session.id).collect();
    let named: Vec<(u64, bool)> = match connection.ask(&statements::appliers(&ids)).await {
        Ok(named) => named,
        Err(Error::Server(error)) if !failure::took_too_long(&error) => Vec::new(),
        Err(error) => return Err(connection.failed(&error)),
    };
    let applies = |session: &Session| match named.iter().find(|(id, _)| *id == session.id) {
        Some((_, applies)) => *applies,
        None => session.command == SIGNS_IN && session.statement.is_some(),
    };
    Ok(doubtful.into_iter().filter(|session| applies(session)).map(|session| session.id).collect())
}

/// Whether a session may be none of a client: of all clients but those of its own machine the server lists the port, and who has signed
/// in has another command.
fn is_doubtful(session: &Session) -> bool {
    session.host_part().len() == session.host.len() || session.command == SIGNS_IN
}
