//! Kills a session or a statement, either with `KILL` or with the stored procedure of a managed database service.

use clew_model::Failure;

use super::KillTarget;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{privileges, sql_statements};
use sql_statements::ER_NO_SUCH_THREAD;

/// MariaDB error code for an unknown query id. Only MariaDB's `KILL` accepts query ids.
const ER_NO_SUCH_QUERY: u16 = 1957;
/// Error codes of `KILL` for an ended session, an ended statement or a missing privilege.
const KILL_ERROR_CODES: [u16; 5] = [ER_NO_SUCH_THREAD, ER_NO_SUCH_QUERY, 1095, 1227, 1979];
/// Error codes of kill procedures for an ended session or statement, an unknown procedure or a missing privilege.
const KILL_PROCEDURE_ERROR_CODES: [u16; 4] = [ER_NO_SUCH_THREAD, ER_NO_SUCH_QUERY, 1305, 1370];

/// Stored procedures that kill sessions on Amazon RDS, Amazon Aurora and Azure, according to the vendors' documentation.
const KILL_CONNECTION_PROCEDURES: [&str; 2] = ["mysql.rds_kill", "mysql.az_kill"];
const KILL_QUERY_PROCEDURES: [&str; 2] = ["mysql.rds_kill_query", "mysql.az_kill_query"];

/// Returns false if the session or statement had already ended before the kill.
/// Returns `Ok(Err(failure))` if the account lacks a privilege. The failure includes the required `GRANT` statement.
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
    let procedures = match kind {
        KillTarget::Connection => KILL_CONNECTION_PROCEDURES,
        KillTarget::Query => KILL_QUERY_PROCEDURES,
    };
    let calls = procedures.map(|procedure| sql_statements::build_kill_procedure_call(procedure, id));
    let calls = calls.into_iter().map(|call| (call, KILL_PROCEDURE_ERROR_CODES.as_slice()));
    for (statement, expected) in std::iter::once((plain, KILL_ERROR_CODES.as_slice())).chain(calls) {
        match connection.read_rows_or_error_code::<mysql_common::Row>(&statement, expected).await? {
            Ok(_) => return Ok(Ok(true)),
            Err(ER_NO_SUCH_THREAD | ER_NO_SUCH_QUERY) => return Ok(Ok(false)),
            Err(_) => {}
        }
    }
    Ok(Err(explain_denied_kill(connection).await?))
}

/// On MySQL, only an account with the SYSTEM_USER privilege can kill a session whose account has that privilege.
async fn explain_denied_kill(connection: &mut Connection) -> Result<Failure, Failure> {
    let has_kill_privilege = privileges::has_kill_privilege(connection).await?;
    let privilege = match connection.flavor {
        Flavor::MySql if has_kill_privilege => "SYSTEM_USER",
        _ => privileges::read_kill_privilege_name(connection).await?,
    };
    privileges::missing_privilege_failure(connection, "kill sessions of the victim's account", privilege).await
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
