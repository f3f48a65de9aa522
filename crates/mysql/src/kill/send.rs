//! Sends one kill: by the `KILL` statement or by the procedure of a managed server.

use crate::client::Error;
use clew_model::Failure;

use super::KillKind;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{doctor, statements};
use statements::NO_SUCH_THREAD_ERROR;

/// Errors of a kill that came too late: unknown connection, or unknown query of MariaDB.
const TOO_LATE_ERROR_CODES: [u16; 2] = [NO_SUCH_THREAD_ERROR, 1957];
/// Errors of a denied kill: not the owner, privilege missing, or not the owner of the query (MariaDB).
const DENIED_ERROR_CODES: [u16; 3] = [1095, 1227, 1979];
/// Errors of a procedure that does not exist or that the account may not execute.
const NO_PROCEDURE_ERROR_CODES: [u16; 2] = [1305, 1370];

/// Kill procedures of a managed service, for accounts without the `KILL` privilege.
struct KillProcedureNames {
    connection: &'static str,
    query: &'static str,
}

/// Procedures of Amazon RDS and Aurora, and of Azure, from their manuals.
const KILL_PROCEDURES: [KillProcedureNames; 2] = [
    KillProcedureNames { connection: "mysql.rds_kill", query: "mysql.rds_kill_query" },
    KillProcedureNames { connection: "mysql.az_kill", query: "mysql.az_kill_query" },
];

/// Sends the kill. Returns false if the session or statement had already ended.
/// The inner error is a missing privilege, with the `GRANT` statement.
pub(super) async fn send_kill(
    connection: &mut Connection,
    id: u64,
    kind: KillKind,
    query: Option<u64>,
) -> Result<Result<bool, Failure>, Failure> {
    let plain = match (kind, query) {
        (KillKind::Connection, _) => statements::kill_connection_statement(id),
        (KillKind::Query, None) => statements::kill_query_statement(id),
        (KillKind::Query, Some(query)) => statements::kill_query_id_statement(query),
    };
    let Err(denied) = execute_kill(connection, &plain, &DENIED_ERROR_CODES).await? else { return Ok(Ok(true)) };
    if TOO_LATE_ERROR_CODES.contains(&denied) {
        return Ok(Ok(false));
    }
    for procedures in KILL_PROCEDURES {
        let procedure = match kind {
            KillKind::Connection => procedures.connection,
            KillKind::Query => procedures.query,
        };
        match execute_kill(connection, &statements::call_procedure_statement(procedure, id), &NO_PROCEDURE_ERROR_CODES)
            .await?
        {
            Ok(()) => return Ok(Ok(true)),
            Err(code) if TOO_LATE_ERROR_CODES.contains(&code) => return Ok(Ok(false)),
            Err(_) => {}
        }
    }
    Ok(Err(missing_kill_privilege_failure(connection).await?))
}

/// Executes a kill statement. The inner error is the code of a late kill, or a code in `expected`.
async fn execute_kill(
    connection: &mut Connection,
    statement: &str,
    expected: &[u16],
) -> Result<Result<(), u16>, Failure> {
    match connection.query_all::<mysql_common::Row>(statement).await {
        Ok(_) => Ok(Ok(())),
        Err(Error::Server(error)) if TOO_LATE_ERROR_CODES.contains(&error.code) || expected.contains(&error.code) => {
            Ok(Err(error.code))
        }
        Err(error) => Err(connection.to_failure(&error)),
    }
}

/// Returns the failure for a denied kill with the missing privilege.
/// MySQL also requires SYSTEM_USER for sessions of accounts that have SYSTEM_USER.
async fn missing_kill_privilege_failure(connection: &mut Connection) -> Result<Failure, Failure> {
    let account = doctor::read_account(connection).await?;
    let lacks_kill_privilege = !doctor::has_kill_privilege(connection).await?;
    let privilege = match connection.flavor {
        Flavor::MariaDb => "CONNECTION ADMIN",
        Flavor::MySql if lacks_kill_privilege => "CONNECTION_ADMIN",
        Flavor::MySql => "SYSTEM_USER",
    };
    Ok(doctor::missing_privilege_failure(connection, "end sessions of this account", privilege, &account))
}

#[cfg(test)]
mod tests {
    use clew_model::NodeUrl;
    use clew_testkit::{Flavor, Server, ServerOptions};

    use super::*;
    use crate::limits::Limits;

    #[tokio::test]
    async fn late_kill_is_no_failure_on_a_server() {
        const UNUSED_ID: u64 = 1 << 20;
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            let node: NodeUrl = server.url().parse().unwrap();
            let mut connection = Connection::open(&node, &Limits::default()).await.unwrap();
            let numbered = (connection.flavor == crate::Flavor::MariaDb).then_some(UNUSED_ID);
            for (kind, query) in [(KillKind::Connection, None), (KillKind::Query, None), (KillKind::Query, numbered)] {
                assert!(
                    !send_kill(&mut connection, UNUSED_ID, kind, query).await.unwrap().unwrap(),
                    "{flavor} {kind:?}"
                );
            }
            connection.close().await;
        }
    }
}
