//! Reads the database account of a connection and checks the privileges of the account.

use clew_model::{Failure, FailureKind, Limitation, LocalizedText};

use crate::client::ServerError;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::grants::{Grants, RoleName, normalize_privilege};
use crate::{limitations, sql_statements};
use sql_statements::{ER_CANNOT_CONVERT_STRING, ER_NO_SUCH_TABLE};

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
/// The errors [`ER_CANNOT_CONVERT_STRING`] and [`ER_NO_SUCH_TABLE`] occur only if the account has the privileges.
pub(crate) async fn is_probe_query_allowed(connection: &mut Connection, probe: &str) -> Result<bool, Failure> {
    let result = connection.try_read_rows::<mysql_common::Row>(probe).await?;
    Ok(result.map_or_else(|error| [ER_CANNOT_CONVERT_STRING, ER_NO_SUCH_TABLE].contains(&error.code), |_| true))
}

/// Returns true if the account can kill the sessions of other accounts.
pub(crate) async fn has_kill_privilege(connection: &mut Connection) -> Result<bool, Failure> {
    let grants = read_grants(connection, sql_statements::GRANTS_QUERY).await?;
    Ok(grants.has_global_privilege(CONNECTION_ADMIN)
        || (super_includes_connection_admin(connection) && grants.has_global_privilege("SUPER")))
}

const CONNECTION_ADMIN: &str = "CONNECTION_ADMIN";

/// Since MariaDB 11.0, SUPER no longer includes CONNECTION ADMIN (MDEV-29668).
fn super_includes_connection_admin(connection: &Connection) -> bool {
    connection.flavor == Flavor::MySql || ["5.", "10."].iter().any(|old| connection.version.starts_with(old))
}

async fn read_grants(connection: &mut Connection, query: &str) -> Result<Grants, Failure> {
    let lines: Vec<String> = connection.read_rows(query).await?;
    Ok(Grants::parse(&lines))
}

/// Returns the name of the privilege that allows an account to kill the sessions of other accounts.
/// MySQL before 8.0 and MariaDB before 10.5.2 have only SUPER.
pub(crate) async fn read_kill_privilege_name(connection: &mut Connection) -> Result<&'static str, Failure> {
    let rows: Vec<mysql_common::Row> =
        connection.read_rows_ignoring_server_errors(sql_statements::PRIVILEGES_QUERY).await?;
    let mut names = rows.iter().filter_map(|row| row.get_opt::<String, _>(0)?.ok());
    let has_connection_admin = names.any(|name| normalize_privilege(&name) == CONNECTION_ADMIN);
    Ok(match connection.flavor {
        _ if !has_connection_admin => "SUPER",
        Flavor::MySql => CONNECTION_ADMIN,
        Flavor::MariaDb => "CONNECTION ADMIN",
    })
}

/// Replaces the `GRANT` statements in `limitations` if the account already has the privilege through an inactive role.
/// Sends no statement to the server if `limitations` contains no `GRANT` statement.
pub(crate) async fn suggest_default_roles(
    connection: &mut Connection,
    limitations: impl IntoIterator<Item = &mut Limitation>,
) -> Result<(), Failure> {
    let mut account_with_roles = None;
    for remedy in limitations.into_iter().filter_map(|limitation| limitation.remedy.as_mut()) {
        let Some(privilege) = limitations::granted_privilege(&remedy.english) else { continue };
        let (account, roles) = match &account_with_roles {
            Some(account_with_roles) => account_with_roles,
            None => account_with_roles.insert((read_current_account(connection).await?, read_roles(connection).await?)),
        };
        if let Some((role, _)) = roles.iter().find(|(_, grants)| grants.include(privilege)) {
            let statement = limitations::build_default_role_statement(connection.flavor, role, account);
            *remedy = LocalizedText::untranslated(statement);
        }
    }
    Ok(())
}

/// Reads the privileges of each role that is granted to the account. A role can be inactive.
async fn read_roles(connection: &mut Connection) -> Result<Vec<(RoleName, Grants)>, Failure> {
    let mut roles = Vec::new();
    for role in read_grants(connection, sql_statements::GRANTS_QUERY).await?.roles {
        let lines = match connection.flavor {
            Flavor::MySql => {
                let query = format!("{} FOR CURRENT_USER() USING {}", sql_statements::GRANTS_QUERY, role.as_str());
                connection.try_read_rows::<String>(&query).await?
            }
            Flavor::MariaDb => read_grants_of_mariadb_role(connection, &role).await?,
        };
        if let Ok(lines) = lines {
            roles.push((role, Grants::parse(&lines)));
        }
    }
    Ok(roles)
}

/// MariaDB shows the privileges of a role only while the role is active. A connection has at most one active role.
async fn read_grants_of_mariadb_role(
    connection: &mut Connection,
    role: &RoleName,
) -> Result<Result<Vec<String>, ServerError>, Failure> {
    let active: Option<String> = query_single_value(connection, sql_statements::CURRENT_ROLE_QUERY).await?;
    if let Err(error) = connection.try_read_rows::<mysql_common::Row>(&format!("SET ROLE {}", role.as_str())).await? {
        return Ok(Err(error));
    }
    let lines = connection.try_read_rows(sql_statements::GRANTS_QUERY).await?;
    let active = active.map_or_else(|| "NONE".to_owned(), |role| format!("`{}`", role.replace('`', "``")));
    connection.read_rows::<mysql_common::Row>(&format!("SET ROLE {active}")).await?;
    Ok(lines)
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

/// Builds a `Failure` that contains the statement that provides the missing privilege.
pub(crate) async fn missing_privilege_failure(
    connection: &mut Connection,
    doing: &str,
    privilege: &str,
) -> Result<Failure, Failure> {
    let account = read_current_account(connection).await?;
    let mut limitation = limitations::describe_missing_kill_privilege(privilege, &account);
    suggest_default_roles(connection, [&mut limitation]).await?;
    let fix = limitation.remedy.map(|remedy| remedy.english).unwrap_or_default();
    let detail = format!("{}: the account {account} is not allowed to {doing}", connection.address);
    Ok(Failure::with_fix(FailureKind::MissingPrivilege, detail, fix))
}
