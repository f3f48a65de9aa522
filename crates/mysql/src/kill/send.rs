//! Sending one kill, by the statement or by what a managed server has instead.

use crate::client::Error;
use clew_model::Failure;

use super::KillKind;
use crate::connection::Connection;
use crate::server::Flavor;
use crate::{doctor, statements};
use statements::NO_SUCH_THREAD;

/// Errors of a kill that came too late: no such connection, no such query of MariaDB.
const GONE: [u16; 2] = [NO_SUCH_THREAD, 1957];
/// Errors of a kill that the account may not do: not its owner, a privilege missing, not the owner of that query of MariaDB.
const DENIED: [u16; 3] = [1095, 1227, 1979];
/// Errors of a procedure that is not there for this account: none of that name, may not be called.
const NO_PROCEDURE: [u16; 2] = [1305, 1370];

/// What managed servers offer where `KILL` is denied.
struct Procedures {
    connection: &'static str,
    query: &'static str,
}

/// Of Amazon RDS and Aurora, and of Azure, from their manuals.
const PROCEDURES: [Procedures; 2] = [
    Procedures { connection: "mysql.rds_kill", query: "mysql.rds_kill_query" },
    Procedures { connection: "mysql.az_kill", query: "mysql.az_kill_query" },
];

/// Sends the kill. False: too late, it had ended. The inner error says that the account may not, and what must be granted.
pub(super) async fn send(
    connection: &mut Connection,
    id: u64,
    kind: KillKind,
    query: Option<u64>,
) -> Result<Result<bool, Failure>, Failure> {
    let plain = match (kind, query) {
        (KillKind::Connection, _) => statements::kill(id),
        (KillKind::Query, None) => statements::kill_query(id),
        (KillKind::Query, Some(query)) => statements::kill_query_id(query),
    };
    let Err(denied) = attempt(connection, &plain, &DENIED).await? else { return Ok(Ok(true)) };
    if GONE.contains(&denied) {
        return Ok(Ok(false));
    }
    for procedures in PROCEDURES {
        let procedure = match kind {
            KillKind::Connection => procedures.connection,
            KillKind::Query => procedures.query,
        };
        match attempt(connection, &statements::call(procedure, id), &NO_PROCEDURE).await? {
            Ok(()) => return Ok(Ok(true)),
            Err(code) if GONE.contains(&code) => return Ok(Ok(false)),
            Err(_) => {}
        }
    }
    Ok(Err(may_not_kill(connection).await?))
}

/// Runs a kill. The inner error is the number of one that was expected: too late, or among `expected`.
async fn attempt(connection: &mut Connection, statement: &str, expected: &[u16]) -> Result<Result<(), u16>, Failure> {
    match connection.ask::<mysql_common::Row>(statement).await {
        Ok(_) => Ok(Ok(())),
        Err(Error::Server(error)) if GONE.contains(&error.code) || expected.contains(&error.code) => {
            Ok(Err(error.code))
        }
        Err(error) => Err(connection.failed(&error)),
    }
}

/// The privilege that a denied kill wants. Who has the usual one and was denied met a victim that MySQL guards by a second.
async fn may_not_kill(connection: &mut Connection) -> Result<Failure, Failure> {
    let account = doctor::account(connection).await?;
    let usual = !doctor::may_kill(connection).await?;
    let privilege = match connection.flavor {
        Flavor::MariaDb => "CONNECTION ADMIN",
        Flavor::MySql if usual => "CONNECTION_ADMIN",
        Flavor::MySql => "SYSTEM_USER",
    };
    Ok(doctor::missing(connection, "end sessions of this account", privilege, &account))
}

#[cfg(test)]
mod tests {
    use clew_model::NodeUrl;
    use clew_testkit::{Flavor, Server, ServerOptions};

    use super::*;
    use crate::limits::Limits;

    #[tokio::test]
    async fn a_kill_that_comes_too_late_is_no_failure_on_a_server() {
        const NOBODY: u64 = 1 << 20;
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            let node: NodeUrl = server.url().parse().unwrap();
            let mut connection = Connection::open(&node, &Limits::default()).await.unwrap();
            let numbered = (connection.flavor == crate::Flavor::MariaDb).then_some(NOBODY);
            for (kind, query) in [(KillKind::Connection, None), (KillKind::Query, None), (KillKind::Query, numbered)] {
                assert!(!send(&mut connection, NOBODY, kind, query).await.unwrap().unwrap(), "{flavor} {kind:?}");
            }
            connection.close().await;
        }
    }
}
