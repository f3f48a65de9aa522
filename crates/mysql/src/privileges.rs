//! Reads the database account of a connection and checks the privileges of the account.

use clew_model::{Failure, FailureKind, Limitation};

use crate::connection::Connection;
use crate::{limitations, sql_statements};
use sql_statements::ER_CANNOT_CONVERT_STRING;

/// Returns the account in the form `user@host`.
pub(crate) async fn read_current_account(connection: &mut Connection) -> Result<String, Failure> {
    query_single_value(connection, sql_statements::CURRENT_ACCOUNT_QUERY).await.map(Option::unwrap_or_default)
}

/// Runs `statement` and returns the value in the first row, or `None` if the value is `NULL` or no row exists.
pub(crate) async fn query_single_value<T>(connection: &mut Connection, statement: &str) -> Result<Option<T>, Failure>
where
    Option<T>: mysql_common::prelude::FromRow,
{
    let rows = connection.read_rows::<Option<T>>(statement).await?;
    Ok(rows.into_iter().next().flatten())
}

/// Runs the probe query. Returns true if the account has the privileges that the query requires.
/// If the probe query fails with [`ER_CANNOT_CONVERT_STRING`], the account has the required privileges.
pub(crate) async fn is_probe_query_allowed(connection: &mut Connection, probe: &str) -> Result<bool, Failure> {
    let result = connection.try_read_rows::<mysql_common::Row>(probe).await?;
    Ok(result.map_or_else(|error| error.code == ER_CANNOT_CONVERT_STRING, |_| true))
}

pub(crate) async fn has_kill_privilege(connection: &mut Connection) -> Result<bool, Failure> {
    let grants: Vec<String> = connection.read_rows(sql_statements::GRANTS_QUERY).await?;
    Ok(grants.iter().any(|grant| {
        let grant = grant.to_ascii_uppercase().replace("CONNECTION ADMIN", "CONNECTION_ADMIN");
        grant.contains(" ON *.* ")
            && ["ALL PRIVILEGES", "CONNECTION_ADMIN", "SUPER"].iter().any(|privilege| grant.contains(privilege))
    }))
}

/// Returns the reason why performance_schema is unreadable, or `None` if performance_schema is readable.
pub(crate) async fn check_performance_schema_access(
    connection: &mut Connection,
    account: &str,
) -> Result<Option<Limitation>, Failure> {
    let on: Option<String> = query_single_value(connection, sql_statements::PERFORMANCE_SCHEMA_ENABLED_QUERY).await?;
    if !matches!(on.as_deref(), Some("1" | "ON")) {
        return Ok(Some(limitations::describe_disabled_performance_schema()));
    }
    let readable = is_probe_query_allowed(connection, sql_statements::METADATA_LOCKS_PROBE_QUERY).await?;
    Ok((!readable).then(|| limitations::describe_unreadable_performance_schema(account)))
}

/// Builds a `Failure` that contains the `GRANT` statement for the missing privilege.
pub(crate) async fn missing_privilege_failure(
    connection: &mut Connection,
    doing: &str,
    privilege: &str,
) -> Result<Failure, Failure> {
    let account = read_current_account(connection).await?;
    let grant = limitations::build_grant_statement(&format!("{privilege} ON *.*"), &account);
    let detail = format!("{}: the account {account} is not allowed to {doing}. Fix: {grant}", connection.address);
    Ok(Failure::new(FailureKind::MissingPrivilege, detail))
}
