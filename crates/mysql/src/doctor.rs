//! Checks which data an account can read on a server and suggests a fix for each kind of unreadable data.

use clew_model::{Failure, Limitation, LimitationKind, NodeUrl};
use serde::Serialize;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::limits::ReadLimits;
use crate::{elapsed_times, failure, lost_instrumentation, privileges, process_list, statements};

const COMPLETE_INSTRUMENTATION: &str = "complete instrumentation";

/// Result of one of the checks in [`diagnose_node`].
#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    /// Short name of the check.
    pub what: &'static str,
    /// True if the check succeeded.
    pub works: bool,
    /// Reason for the failed check and a suggested fix, or `None` if the check succeeded.
    pub limitation: Option<Limitation>,
}

/// Result of [`diagnose_node`].
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Server family.
    pub server_flavor: Flavor,
    /// Server version, from `VERSION()`.
    pub server_version: String,
    /// Account of Clew's connection, in the form `user@host`.
    pub account: String,
    /// TLS cipher of the connection, or `None` if the connection does not use TLS.
    pub cipher: Option<String>,
    /// Server clock minus local clock, in seconds. Positive if the server's clock is ahead.
    pub clock_difference: f64,
    /// Check results, most important first.
    pub checks: Vec<CheckResult>,
}

impl Diagnosis {
    /// Returns true if at least one check failed.
    #[must_use]
    pub fn has_limitations(&self) -> bool {
        self.checks.iter().any(|check| !check.works)
    }
}

/// Checks which data the account can read and whether the node's address leads directly to a single server.
///
/// Opens two connections, one after the other, and does not change anything on the server.
/// Fails if Clew cannot connect to the server.
pub async fn diagnose_node(node: &NodeUrl, limits: &ReadLimits) -> Result<Diagnosis, Failure> {
    timeout(limits.read_timeout, failure::catch_panic(node, run_diagnosis(node, limits)))
        .await
        .unwrap_or_else(|_| Err(failure::timeout_failure(&node.address(), "checking privileges", limits.read_timeout)))
}

async fn run_diagnosis(node: &NodeUrl, limits: &ReadLimits) -> Result<Diagnosis, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let account = privileges::read_current_account(&mut connection).await?;
    let cipher = read_tls_cipher(&mut connection).await?;
    let clock_difference = measure_clock_skew(&mut connection).await?;
    let mut checks = run_diagnostic_checks(&mut connection, &account).await?;
    let direct = is_direct_connection(&mut connection).await?;
    let instance = connection.read_server_instance().await?;
    let (server_flavor, server_version) = (connection.flavor, connection.version.clone());
    connection.close().await;
    let mut second = Connection::open(node, limits).await?;
    let same = second.read_server_instance().await? == instance;
    second.close().await;
    let proxied =
        if same { (!direct).then(limitation_for_indirect_connection) } else { Some(limitation_for_load_balancer()) };
    checks.push(build_check_result("direct connection", proxied.map_or(Ok(()), Err)));
    Ok(Diagnosis { server_flavor, server_version, account, cipher, clock_difference, checks })
}

/// A proxy sends its own connection id in the handshake packet.
async fn is_direct_connection(connection: &mut Connection) -> Result<bool, Failure> {
    let address = connection.address.clone();
    let read_failure = |error: crate::client::Error| failure::failure_from_client_error(&error, &address);
    let mut filter = connection.own_session_filter();
    let mut rows = process_list::query_sessions(&mut connection.raw.client, 4 << 10).await.map_err(read_failure)?;
    while let Some(session) = rows.next().await.map_err(read_failure)? {
        filter.is_own_session(&session);
    }
    Ok(connection.raw.is_direct(&filter))
}

async fn read_tls_cipher(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let rows: Vec<(String, String)> =
        connection.query_all(statements::TLS_CIPHER_QUERY).await.map_err(|error| connection.to_failure(&error))?;
    Ok(rows.into_iter().next().map(|(_, cipher)| cipher).filter(|cipher| !cipher.is_empty()))
}

async fn measure_clock_skew(connection: &mut Connection) -> Result<f64, Failure> {
    let clock = connection.read_clock().await.map_err(|error| connection.to_failure(&error))?;
    let server = clock.map_or(0.0, |clock| clock.unix_seconds());
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(server - here.as_secs_f64())
}

async fn run_diagnostic_checks(connection: &mut Connection, account: &str) -> Result<Vec<CheckResult>, Failure> {
    let process = privileges::run_privilege_probe(connection, statements::TRANSACTIONS_PROBE_QUERY).await?;
    let [own_sessions, no_transactions] = limitations_for_missing_process_privilege(account);
    let mut checks = vec![
        build_check_result("sessions of all accounts", process.then_some(()).ok_or(own_sessions)),
        build_check_result("open transactions", process.then_some(()).ok_or(no_transactions)),
    ];
    let cut = connection.server_truncates_statements().await?;
    checks.push(build_check_result(
        "complete statements",
        if cut { Err(limitation_for_truncated_statements()) } else { Ok(()) },
    ));
    let kill = privileges::has_kill_privilege(connection).await?;
    checks.push(build_check_result(
        "killing sessions",
        if kill { Ok(()) } else { Err(limitation_for_missing_kill_privilege(connection.flavor, account)) },
    ));
    let locks = check_metadata_lock_access(connection, account).await?;
    checks.push(build_check_result("metadata locks", locks));
    let ages = elapsed_times::check_statement_timer_access(connection).await?;
    checks.push(build_check_result("reliable durations", ages));
    let mut losses = Vec::new();
    if privileges::check_performance_schema_access(connection, account).await?.is_ok() {
        losses = lost_instrumentation::detect_lost_instrumentation(connection).await?;
    }
    losses.append(&mut connection.limitations);
    if losses.iter().all(|loss| check_name(loss.kind) != COMPLETE_INSTRUMENTATION) {
        checks.push(build_check_result(COMPLETE_INSTRUMENTATION, Ok(())));
    }
    checks.extend(losses.into_iter().map(|loss| build_check_result(check_name(loss.kind), Err(loss))));
    Ok(checks)
}

/// Returns the name of the check that failed because of a limitation of the connection or of performance_schema.
fn check_name(kind: LimitationKind) -> &'static str {
    match kind {
        LimitationKind::SettingRefused => "session variables",
        _ => COMPLETE_INSTRUMENTATION,
    }
}

fn build_check_result(what: &'static str, outcome: Result<(), Limitation>) -> CheckResult {
    CheckResult { what, works: outcome.is_ok(), limitation: outcome.err() }
}

async fn check_metadata_lock_access(
    connection: &mut Connection,
    account: &str,
) -> Result<Result<(), Limitation>, Failure> {
    match privileges::check_performance_schema_access(connection, account).await? {
        Ok(()) => check_metadata_lock_instrument(connection).await,
        gap => Ok(gap),
    }
}

/// performance_schema records metadata locks only if the metadata lock instrument is enabled.
pub(crate) async fn check_metadata_lock_instrument(
    connection: &mut Connection,
) -> Result<Result<(), Limitation>, Failure> {
    let enabled: Option<String> =
        privileges::query_single_value(connection, statements::METADATA_LOCK_INSTRUMENT_QUERY).await?;
    Ok(if enabled.as_deref() == Some("YES") { Ok(()) } else { Err(limitation_for_disabled_instrument()) })
}

/// If MySQL reads the process list from performance_schema, it truncates statements and may omit sessions.
pub(crate) async fn find_process_list_limitations(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    if !connection.server_truncates_statements().await? {
        return Ok(Vec::new());
    }
    let missing = lost_instrumentation::detect_lost_threads(connection).await?.into_iter().map(|loss| Limitation {
        what: "Sessions may be missing from the process list.".to_owned(),
        why: format!(
            "The process list comes from performance_schema, because performance_schema_show_processlist is ON. {}",
            loss.why
        ),
        remedy: Some("SET GLOBAL performance_schema_show_processlist = OFF;".to_owned()),
        ..loss
    });
    Ok(std::iter::once(limitation_for_truncated_statements()).chain(missing).collect())
}

pub(crate) fn limitations_for_missing_process_privilege(account: &str) -> [Limitation; 2] {
    let grant = |kind, what: &str, why: &str| Limitation {
        kind,
        what: what.to_owned(),
        why: why.to_owned(),
        remedy: Some(format!("GRANT PROCESS ON *.* TO {};", privileges::quote_account_name(account))),
    };
    [
        grant(
            LimitationKind::OnlyOwnSessions,
            "Sessions of other accounts are not visible.",
            "The account lacks the PROCESS privilege.",
        ),
        grant(
            LimitationKind::NoTransactions,
            "Transactions are not visible: transaction columns are empty, and the filter `long` matches no session.",
            "Reading information_schema.innodb_trx requires the PROCESS privilege.",
        ),
    ]
}

pub(crate) fn limitation_for_incomplete_transactions() -> Limitation {
    Limitation {
        kind: LimitationKind::PartOfTransactions,
        what: "Transactions come from the InnoDB status: read-only transactions and numbers of locked tables are missing."
            .to_owned(),
        why: "MySQL cannot read information_schema.innodb_trx (error 3854) while a transaction runs a statement with a four-byte \
              character, such as an emoji."
            .to_owned(),
        remedy: None,
    }
}

pub(crate) fn limitation_for_truncated_statements() -> Limitation {
    Limitation {
        kind: LimitationKind::StatementsTruncated,
        what: "Statements are truncated after 1,024 bytes.".to_owned(),
        why: "performance_schema_show_processlist is ON, and performance_schema stores at most 1,024 bytes of a statement.".to_owned(),
        remedy: Some("SET GLOBAL performance_schema_show_processlist = OFF;".to_owned()),
    }
}

pub(crate) fn limitation_for_oversized_statements(count: u64, max_row_bytes: usize) -> Option<Limitation> {
    (count > 0).then(|| Limitation {
        kind: LimitationKind::StatementsTruncated,
        what: format!("Statements of {count} sessions are truncated after about {} KiB.", max_row_bytes >> 10),
        why: format!("Clew reads at most {max_row_bytes} bytes of a row, to limit its memory use."),
        remedy: Some(
            "For clew serve and clew worker: increase nodes.max_row_bytes in the configuration file.".to_owned(),
        ),
    })
}

pub(crate) fn limitation_for_indirect_connection() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: "Sessions cannot be killed through this address.".to_owned(),
        why: "Clew connects through a proxy or load balancer: the connection id in the handshake differs from CONNECTION_ID(), or the \
              process list does not contain Clew's own session. Listed sessions cannot be identified."
            .to_owned(),
        remedy: Some("Register the address of the server itself, and kill sessions through that address.".to_owned()),
    }
}

pub(crate) fn limitation_for_load_balancer() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: "The address leads to several servers: each read shows the sessions of one server.".to_owned(),
        why: "Two connections reached servers with different identities, as behind a load balancer.".to_owned(),
        remedy: Some("Register each server with its own address, and kill sessions through that address.".to_owned()),
    }
}

fn limitation_for_missing_kill_privilege(flavor: Flavor, account: &str) -> Limitation {
    let privilege = match flavor {
        Flavor::MySql => "CONNECTION_ADMIN",
        Flavor::MariaDb => "CONNECTION ADMIN",
    };
    Limitation {
        kind: LimitationKind::NoKill,
        what: "Sessions of other accounts cannot be killed.".to_owned(),
        why: format!("The account lacks the privilege {privilege} (grants through roles are not checked)."),
        remedy: Some(format!("GRANT {privilege} ON *.* TO {};", privileges::quote_account_name(account))),
    }
}

fn limitation_for_disabled_instrument() -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: "Metadata locks cannot be read.".to_owned(),
        why: "The instrument wait/lock/metadata/sql/mdl is disabled. Once enabled, it records locks that are granted afterwards.".to_owned(),
        remedy: Some(
            "UPDATE performance_schema.setup_instruments SET enabled = 'YES' WHERE name = 'wait/lock/metadata/sql/mdl';"
                .to_owned(),
        ),
    }
}
