//! Sends a kill, either with the `KILL` statement or with the stored procedure of a managed database service.

use crate::client::Error;
use clew_model::Failure;

use super::KillTarget;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{privileges, sql_statements};
use sql_statements::ER_NO_SUCH_THREAD;

/// Error codes for an unknown connection id and for an unknown query id. Only MariaDB's `KILL` accepts query ids.
const UNKNOWN_KILL_TARGET_ERROR_CODES: [u16; 2] = [ER_NO_SUCH_THREAD, 1957];
const KILL_DENIED_ERROR_CODES: [u16; 3] = [1095, 1227, 1979];
/// Error codes for a stored procedure that does not exist or that the account is not allowed to execute.
const PROCEDURE_UNAVAILABLE_ERROR_CODES: [u16; 2] = [1305, 1370];

/// Stored procedures that kill sessions, from the documentation of Amazon RDS, Amazon Aurora and Azure.
const KILL_CONNECTION_PROCEDURES: [&str; 2] = ["mysql.rds_kill", "mysql.az_kill"];
const KILL_QUERY_PROCEDURES: [&str; 2] = ["mysql.rds_kill_query", "mysql.az_kill_query"];

/// Returns false if the session or statement to kill had already ended.
/// If a privilege is missing, the inner `Err` describes the error and includes the required `GRANT` statement.
pub(super) async fn send_kill(
    connection: &mut Connection,
    id: u64,
    kind: KillTarget,
    query: Option<u64>,
) -> Result<Result<bool, Failure>, Failure> {
    let plain = match (kind, query) {
        (KillTarget::Connection, _) => sql_statements::build_kill_connection_statement(id),
        (KillTarget::Query, None) => sql_statements::build_kill_query_statement(id),
        (KillTarget::Query, Some(query)) => sql_statements::build_kill_by_query_id_statement(query),
    };
    let Err(denied) = execute_kill_statement(connection, &plain, &KILL_DENIED_ERROR_CODES).await? else {
        return Ok(Ok(true));
    };
    if UNKNOWN_KILL_TARGET_ERROR_CODES.contains(&denied) {
        return Ok(Ok(false));
    }
    let procedures = match kind {
        KillTarget::Connection => KILL_CONNECTION_PROCEDURES,
        KillTarget::Query => KILL_QUERY_PROCEDURES,
    };
    for procedure in procedures {
        let call = sql_statements::build_kill_procedure_call(procedure, id);
        match execute_kill_statement(connection, &call, &PROCEDURE_UNAVAILABLE_ERROR_CODES).await? {
            Ok(()) => return Ok(Ok(true)),
            Err(code) if UNKNOWN_KILL_TARGET_ERROR_CODES.contains(&code) => return Ok(Ok(false)),
            Err(_) => {}
        }
    }
    Ok(Err(explain_denied_kill(connection).await?))
}

/// The inner `Err` contains the server's error code, which is in [`UNKNOWN_KILL_TARGET_ERROR_CODES`] or in `expected`.
async fn execute_kill_statement(
    connection: &mut Connection,
    statement: &str,
    expected: &[u16],
) -> Result<Result<(), u16>, Failure> {
    match connection.query_all_rows::<mysql_common::Row>(statement).await {
        Ok(_) => Ok(Ok(())),
        Err(Error::Server(error))
            if UNKNOWN_KILL_TARGET_ERROR_CODES.contains(&error.code) || expected.contains(&error.code) =>
        {
            Ok(Err(error.code))
        }
        Err(error) => Err(connection.client_error_to_failure(&error)),
    }
}

/// On MySQL, only an account with the SYSTEM_USER privilege can kill a session whose account has that privilege.
async fn explain_denied_kill(connection: &mut Connection) -> Result<Failure, Failure> {
    let account = privileges::read_current_account(connection).await?;
    let lacks_kill_privilege = !privileges::has_kill_privilege(connection).await?;
    let privilege = match connection.flavor {
        Flavor::MariaDb => "CONNECTION ADMIN",
        Flavor::MySql if lacks_kill_privilege => "CONNECTION_ADMIN",
        Flavor::MySql => "SYSTEM_USER",
    };
    Ok(privileges::missing_privilege_failure(connection, "kill sessions of the victim's account", privilege, &account))
}

#[cfg(test)]
mod tests {
    use clew_model::NodeUrl;
    use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};

    use super::*;
    use crate::connector::NodeConnector;

    #[tokio::test]
    async fn late_kill_is_no_failure_on_a_server() {
        const UNUSED_ID: u64 = 1 << 20;
        for flavor in Flavor::ALL {
            let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
            let node: NodeUrl = server.url().parse().unwrap();
            let mut connection = Connection::open(&node, &NodeConnector::default()).await.unwrap();
            let numbered = (connection.flavor == crate::Flavor::MariaDb).then_some(UNUSED_ID);
            for (kind, query) in
                [(KillTarget::Connection, None), (KillTarget::Query, None), (KillTarget::Query, numbered)]
            {
                assert!(
                    !send_kill(&mut connection, UNUSED_ID, kind, query).await.unwrap().unwrap(),
                    "{flavor} {kind:?}"
                );
            }
            connection.close().await;
        }
    }
}
