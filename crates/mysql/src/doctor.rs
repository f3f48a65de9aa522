//! Checks which data an account can read on a server, and how to enable the rest.

use clew_model::{Failure, FailureKind, Limitation, LimitationKind, NodeUrl};
use serde::Serialize;
use tokio::time::timeout;

use crate::clock;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::limits::Limits;
use crate::transactions::CANNOT_CONVERT_TEXT_ERROR;
use crate::{failure, lost_instrumentation, process_list, statement_ages, statements};

/// Result of one check.
#[derive(Debug, Clone, Serialize)]
pub struct PrivilegeCheck {
    /// Short name of the check.
    pub what: &'static str,
    /// True if the check succeeded.
    pub works: bool,
    /// Reason and remedy of a failed check.
    pub limitation: Option<Limitation>,
}

/// Result of [`diagnose`].
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Server family.
    pub server_flavor: Flavor,
    /// Server version as the server reports it.
    pub server_version: String,
    /// Account of the connection, `user@host`.
    pub account: String,
    /// TLS cipher of the connection; `None` without TLS.
    pub cipher: Option<String>,
    /// Server clock minus local clock, in seconds.
    pub clock_difference: f64,
    /// Checks, the most important first.
    pub checks: Vec<PrivilegeCheck>,
}

/// Checks which data an account can read, and whether the address leads to one server without a proxy.
///
/// Opens two connections, one after the other, and changes nothing. Fails if the server cannot be read at all.
pub async fn diagnose(node: &NodeUrl, limits: &Limits) -> Result<Diagnosis, Failure> {
    timeout(limits.read_timeout, failure::catch_panic(node, run_diagnosis(node, limits)))
        .await
        .unwrap_or_else(|_| Err(failure::timeout(&node.address(), "examining", limits.read_timeout)))
}

async fn run_diagnosis(node: &NodeUrl, limits: &Limits) -> Result<Diagnosis, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let account = read_account(&mut connection).await?;
    let cipher = read_cipher(&mut connection).await?;
    let clock_difference = read_clock_difference(&mut connection).await?;
    let mut checks = run_checks(&mut connection, &account).await?;
    let direct = is_direct(&mut connection).await?;
    let instance = connection.read_instance().await?;
    let (server_flavor, server_version) = (connection.flavor, connection.version.clone());
    connection.close().await;
    let mut second = Connection::open(node, limits).await?;
    let same = second.read_instance().await? == instance;
    second.close().await;
    let proxied = if same { (!direct).then(indirect_connection) } else { Some(several_servers()) };
    checks.push(new_check("direct connection", proxied.map_or(Ok(()), Err)));
    Ok(Diagnosis { server_flavor, server_version, account, cipher, clock_difference, checks })
}

/// Returns whether the process list shows this connection under the id of its handshake packet.
async fn is_direct(connection: &mut Connection) -> Result<bool, Failure> {
    let address = connection.address.clone();
    let read_failure = |error: crate::client::Error| failure::from_client_error(&error, &address);
    let mut filter = connection.own_session_filter();
    let mut rows = process_list::query(connection, 4 << 10).await.map_err(read_failure)?;
    while let Some(session) = rows.next().await.map_err(read_failure)? {
        filter.is_own(&session);
    }
    Ok(connection.raw.is_direct(&filter))
}

/// Reads the account of the connection, `user@host`.
pub(crate) async fn read_account(connection: &mut Connection) -> Result<String, Failure> {
    query_value(connection, statements::CURRENT_ACCOUNT).await.map(Option::unwrap_or_default)
}

async fn read_cipher(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let rows: Vec<(String, String)> =
        connection.query_all(statements::TLS_CIPHER).await.map_err(|error| connection.to_failure(&error))?;
    Ok(rows.into_iter().next().map(|(_, cipher)| cipher).filter(|cipher| !cipher.is_empty()))
}

async fn read_clock_difference(connection: &mut Connection) -> Result<f64, Failure> {
    let clock = clock::read_clock(connection).await.map_err(|error| connection.to_failure(&error))?;
    let server = clock.map_or(0.0, |clock| clock.utc());
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(server - here.as_secs_f64())
}

async fn query_value<T>(connection: &mut Connection, statement: &str) -> Result<Option<T>, Failure>
where
    Option<T>: mysql_common::prelude::FromRow + Send + 'static,
{
    let rows = connection.query_all::<Option<T>>(statement).await.map_err(|error| connection.to_failure(&error))?;
    Ok(rows.into_iter().next().flatten())
}

async fn run_checks(connection: &mut Connection, account: &str) -> Result<Vec<PrivilegeCheck>, Failure> {
    let process = probe(connection, statements::TRANSACTIONS_PROBE).await?;
    let [own_sessions, no_transactions] = missing_process_privilege(account);
    let mut checks = vec![
        new_check("sessions of every account", process.then_some(()).ok_or(own_sessions)),
        new_check("open transactions", process.then_some(()).ok_or(no_transactions)),
    ];
    let cut = process_list::is_truncated(connection).await?;
    checks.push(new_check("whole statements", if cut { Err(statements_truncated()) } else { Ok(()) }));
    let kill = has_kill_privilege(connection).await?;
    checks.push(new_check(
        "ending sessions",
        if kill { Ok(()) } else { Err(no_kill_privilege(connection.flavor, account)) },
    ));
    let locks = check_metadata_locks(connection, account).await?;
    checks.push(new_check("metadata locks", locks));
    let ages = statement_ages::check_timers(connection).await?;
    checks.push(new_check("durations that sessions cannot change", ages));
    let mut losses = Vec::new();
    if check_performance_schema(connection, account).await?.is_ok() {
        losses = lost_instrumentation::read_losses(connection).await?;
    }
    losses.append(&mut connection.limitations);
    if losses.is_empty() {
        checks.push(new_check("complete records", Ok(())));
    }
    checks.extend(losses.into_iter().map(|loss| new_check("complete records", Err(loss))));
    Ok(checks)
}

fn new_check(what: &'static str, outcome: Result<(), Limitation>) -> PrivilegeCheck {
    PrivilegeCheck { what, works: outcome.is_ok(), limitation: outcome.err() }
}

/// Runs a probe statement. Returns false if the server refuses it.
/// [`CANNOT_CONVERT_TEXT_ERROR`] counts as success: the server raises it only after the privilege check.
pub(crate) async fn probe(connection: &mut Connection, probe: &str) -> Result<bool, Failure> {
    match connection.query_all::<mysql_common::Row>(probe).await {
        Ok(_) => Ok(true),
        Err(crate::client::Error::Server(error)) => Ok(error.code == CANNOT_CONVERT_TEXT_ERROR),
        Err(error) => Err(connection.to_failure(&error)),
    }
}

/// Returns whether the account's grants allow killing sessions of other accounts. A kill cannot be tried out.
pub(crate) async fn has_kill_privilege(connection: &mut Connection) -> Result<bool, Failure> {
    let grants: Vec<String> =
        connection.query_all(statements::GRANTS).await.map_err(|error| connection.to_failure(&error))?;
    Ok(grants.iter().any(|grant| {
        let grant = grant.to_ascii_uppercase().replace("CONNECTION ADMIN", "CONNECTION_ADMIN");
        grant.contains(" ON *.* ")
            && ["ALL PRIVILEGES", "CONNECTION_ADMIN", "SUPER"].iter().any(|privilege| grant.contains(privilege))
    }))
}

/// The outer error is a connection failure, the inner error a limitation.
async fn check_metadata_locks(connection: &mut Connection, account: &str) -> Result<Result<(), Limitation>, Failure> {
    match check_performance_schema(connection, account).await? {
        Ok(()) => check_metadata_lock_instrument(connection).await,
        gap => Ok(gap),
    }
}

/// Checks whether performance_schema can be read.
pub(crate) async fn check_performance_schema(
    connection: &mut Connection,
    account: &str,
) -> Result<Result<(), Limitation>, Failure> {
    let on: Option<String> = query_value(connection, statements::PERFORMANCE_SCHEMA).await?;
    if !matches!(on.as_deref(), Some("1" | "ON")) {
        return Ok(Err(performance_schema_off()));
    }
    if !probe(connection, statements::METADATA_LOCKS_PROBE).await? {
        return Ok(Err(no_performance_schema_privilege(account)));
    }
    Ok(Ok(()))
}

/// Checks whether performance_schema records metadata locks.
pub(crate) async fn check_metadata_lock_instrument(
    connection: &mut Connection,
) -> Result<Result<(), Limitation>, Failure> {
    let enabled: Option<String> = query_value(connection, statements::METADATA_LOCKS_INSTRUMENT).await?;
    Ok(if enabled.as_deref() == Some("YES") { Ok(()) } else { Err(metadata_lock_instrument_off()) })
}

/// Returns the limitations of a process list that MySQL generates from performance_schema.
pub(crate) async fn process_list_limitations(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    if !process_list::is_truncated(connection).await? {
        return Ok(Vec::new());
    }
    let missing = lost_instrumentation::read_lost_threads(connection).await?.into_iter().map(|loss| Limitation {
        what: "Sessions may be missing in the list.".to_owned(),
        why: format!("The list is of performance_schema: performance_schema_show_processlist is ON. {}", loss.why),
        remedy: Some("SET GLOBAL performance_schema_show_processlist = OFF;".to_owned()),
        ..loss
    });
    Ok(std::iter::once(statements_truncated()).chain(missing).collect())
}

/// Limitations of an account without PROCESS: sessions of other accounts and all transactions are hidden.
pub(crate) fn missing_process_privilege(account: &str) -> [Limitation; 2] {
    let grant = |kind, what: &str, why: &str| Limitation {
        kind,
        what: what.to_owned(),
        why: why.to_owned(),
        remedy: Some(format!("GRANT PROCESS ON *.* TO {};", quote_account(account))),
    };
    [
        grant(
            LimitationKind::OnlyOwnSessions,
            "Only sessions of this account are shown; those of all others are missing.",
            "The account has no PROCESS privilege.",
        ),
        grant(
            LimitationKind::NoTransactions,
            "Transactions are not shown: their columns are empty, and the filter `long` finds nothing.",
            "Reading information_schema.innodb_trx takes the PROCESS privilege.",
        ),
    ]
}

/// Limitation while MySQL cannot read `innodb_trx` and Clew parses InnoDB's status instead.
pub(crate) fn incomplete_transactions() -> Limitation {
    Limitation {
        kind: LimitationKind::PartOfTransactions,
        what: "Transactions come from InnoDB's status: read-only ones are missing, and nobody's count of locked tables is shown."
            .to_owned(),
        why: "MySQL cannot read its own table of transactions (error 3854) as long as one of them runs a statement with a \
              character of four bytes, such as an emoji."
            .to_owned(),
        remedy: None,
    }
}

/// Limitation of a process list from performance_schema.
pub(crate) fn statements_truncated() -> Limitation {
    Limitation {
        kind: LimitationKind::StatementsCut,
        what: "Statements are cut after 1,024 bytes.".to_owned(),
        why: "performance_schema_show_processlist is ON, and performance_schema keeps no more.".to_owned(),
        remedy: Some("SET GLOBAL performance_schema_show_processlist = OFF;".to_owned()),
    }
}

/// Limitation for statements longer than Clew reads.
pub(crate) fn statements_too_long(count: u64) -> Option<Limitation> {
    (count > 0).then(|| Limitation {
        kind: LimitationKind::StatementsCut,
        what: format!("Statements of {count} sessions are cut after 64 MiB."),
        why: "Clew reads no more of a statement: a server that is not trusted must not fill memory.".to_owned(),
        remedy: None,
    })
}

/// Limitation if a proxy or balancer stands between Clew and the server.
pub(crate) fn indirect_connection() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: "Sessions cannot be killed through this address.".to_owned(),
        why: "A proxy stands between: the connection id of the greeting is not CONNECTION_ID(), or the process list does not show \
              Clew's own session, so the sessions of the list cannot be identified."
            .to_owned(),
        remedy: Some("Register the address of the server itself, and kill there.".to_owned()),
    }
}

/// Limitation if the address leads to several servers in turn.
pub(crate) fn several_servers() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: "The address leads to several servers: each read shows the sessions of one of them.".to_owned(),
        why: "Two connections reached servers with different identities, as behind a balancer.".to_owned(),
        remedy: Some("Register each server with its own address, and kill there.".to_owned()),
    }
}

fn no_kill_privilege(flavor: Flavor, account: &str) -> Limitation {
    let privilege = match flavor {
        Flavor::MySql => "CONNECTION_ADMIN",
        Flavor::MariaDb => "CONNECTION ADMIN",
    };
    Limitation {
        kind: LimitationKind::NoKill,
        what: "Sessions of other accounts cannot be ended.".to_owned(),
        why: format!("No grant of the account itself gives {privilege} (grants through roles are not looked at)."),
        remedy: Some(format!("GRANT {privilege} ON *.* TO {};", quote_account(account))),
    }
}

fn performance_schema_off() -> Limitation {
    Limitation {
        kind: LimitationKind::NoPerformanceSchema,
        what: "Metadata locks and other waits beyond InnoDB's cannot be read.".to_owned(),
        why: "performance_schema is OFF; it can only be turned on at server start.".to_owned(),
        remedy: Some("performance_schema = ON, in the server's configuration file".to_owned()),
    }
}

pub(crate) fn no_performance_schema_privilege(account: &str) -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: "Metadata locks cannot be read.".to_owned(),
        why: "The account may not read performance_schema.".to_owned(),
        remedy: Some(format!("GRANT SELECT ON performance_schema.* TO {};", quote_account(account))),
    }
}

fn metadata_lock_instrument_off() -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: "Metadata locks cannot be read.".to_owned(),
        why: "The instrument that records them is off; once on, it shows locks taken from then on.".to_owned(),
        remedy: Some(
            "UPDATE performance_schema.setup_instruments SET enabled = 'YES' WHERE name = 'wait/lock/metadata/sql/mdl';"
                .to_owned(),
        ),
    }
}

/// Failure of an account without a privilege, with the `GRANT` statement.
pub(crate) fn missing_privilege(connection: &Connection, doing: &str, privilege: &str, account: &str) -> Failure {
    let detail = format!(
        "{}: the account {account} may not {doing}; GRANT {privilege} ON *.* TO {};",
        connection.address,
        quote_account(account)
    );
    Failure::new(FailureKind::MissingPrivilege, detail)
}

/// Quotes `user@host` as an account name in a statement.
pub(crate) fn quote_account(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
    format!("'{}'@'{}'", quote(user), quote(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_account_is_valid_in_a_grant_statement() {
        assert_eq!(quote_account("clew@%"), "'clew'@'%'");
        assert_eq!(quote_account("o'brien@home@10.0.0.%"), "'o''brien@home'@'10.0.0.%'");
    }
}
