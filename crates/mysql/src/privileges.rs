//! Reads the account of a connection and checks which privileges the account has.

use clew_model::{Failure, FailureKind, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::statements;
use crate::transactions::ER_CANNOT_CONVERT_STRING;

/// Returns the account in the form `user@host`.
pub(crate) async fn read_current_account(connection: &mut Connection) -> Result<String, Failure> {
    query_single_value(connection, statements::CURRENT_ACCOUNT_QUERY).await.map(Option::unwrap_or_default)
}

/// Returns `None` if the server returns `NULL` or no rows.
pub(crate) async fn query_single_value<T>(connection: &mut Connection, statement: &str) -> Result<Option<T>, Failure>
where
    Option<T>: mysql_common::prelude::FromRow + Send + 'static,
{
    let rows = connection.query_all::<Option<T>>(statement).await.map_err(|error| connection.to_failure(&error))?;
    Ok(rows.into_iter().next().flatten())
}

/// Returns false on any server error except [`ER_CANNOT_CONVERT_STRING`], which occurs after the privilege check.
pub(crate) async fn run_privilege_probe(connection: &mut Connection, probe: &str) -> Result<bool, Failure> {
    match connection.query_all::<mysql_common::Row>(probe).await {
        Ok(_) => Ok(true),
        Err(crate::client::Error::Server(error)) => Ok(error.code == ER_CANNOT_CONVERT_STRING),
        Err(error) => Err(connection.to_failure(&error)),
    }
}

pub(crate) async fn has_kill_privilege(connection: &mut Connection) -> Result<bool, Failure> {
    let grants: Vec<String> =
        connection.query_all(statements::GRANTS_QUERY).await.map_err(|error| connection.to_failure(&error))?;
    Ok(grants.iter().any(|grant| {
        let grant = grant.to_ascii_uppercase().replace("CONNECTION ADMIN", "CONNECTION_ADMIN");
        grant.contains(" ON *.* ")
            && ["ALL PRIVILEGES", "CONNECTION_ADMIN", "SUPER"].iter().any(|privilege| grant.contains(privilege))
    }))
}

pub(crate) async fn check_performance_schema_access(
    connection: &mut Connection,
    account: &str,
) -> Result<Result<(), Limitation>, Failure> {
    let on: Option<String> = query_single_value(connection, statements::PERFORMANCE_SCHEMA_STATE_QUERY).await?;
    if !matches!(on.as_deref(), Some("1" | "ON")) {
        return Ok(Err(limitation_for_disabled_performance_schema()));
    }
    if !run_privilege_probe(connection, statements::METADATA_LOCKS_PROBE_QUERY).await? {
        return Ok(Err(limitation_for_missing_performance_schema_privilege(account)));
    }
    Ok(Ok(()))
}

fn limitation_for_disabled_performance_schema() -> Limitation {
    Limitation {
        kind: LimitationKind::NoPerformanceSchema,
        what: "Metadata locks and other waits outside InnoDB cannot be read.".to_owned(),
        why: "performance_schema is OFF and can only be enabled at server start.".to_owned(),
        remedy: Some("performance_schema = ON, in the server's configuration file".to_owned()),
    }
}

pub(crate) fn limitation_for_missing_performance_schema_privilege(account: &str) -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: "Metadata locks cannot be read.".to_owned(),
        why: "The account lacks the SELECT privilege on performance_schema.".to_owned(),
        remedy: Some(format!("GRANT SELECT ON performance_schema.* TO {};", quote_account_name(account))),
    }
}

/// The failure includes the required `GRANT` statement.
pub(crate) fn missing_privilege_failure(
    connection: &Connection,
    doing: &str,
    privilege: &str,
    account: &str,
) -> Failure {
    let detail = format!(
        "{}: the account {account} is not allowed to {doing}. fix: GRANT {privilege} ON *.* TO {};",
        connection.address,
        quote_account_name(account)
    );
    Failure::new(FailureKind::MissingPrivilege, detail)
}

/// Converts `user@host` to a quoted SQL account name, such as `'user'@'host'`.
pub(crate) fn quote_account_name(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
    format!("'{}'@'{}'", quote(user), quote(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_account_is_valid_in_a_grant_statement() {
        assert_eq!(quote_account_name("clew@%"), "'clew'@'%'");
        assert_eq!(quote_account_name("o'brien@home@10.0.0.%"), "'o''brien@home'@'10.0.0.%'");
    }
}
