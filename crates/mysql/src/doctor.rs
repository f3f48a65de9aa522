//! Checks which data an account can read on a server and suggests a fix for each failed check.

use clew_model::{Failure, Limitation, LimitationKind, NodeUrl, Session};
use serde::Serialize;
use tokio::time::Instant;

use crate::connection::{Connection, run_with_deadline};
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::{elapsed_times, limitations, lost_instrumentation, privileges, sql_statements};

const INSTRUMENTATION_CHECK_NAME: &str = "complete instrumentation";

/// Result of a check performed by [`diagnose_node`].
#[derive(Debug, Clone, Serialize)]
pub struct DiagnosticCheckResult {
    /// Short name of the check.
    pub what: &'static str,
    /// True if the check succeeded.
    pub works: bool,
    /// Reason why the check failed and a suggested fix, or `None` if the check succeeded.
    pub limitation: Option<Limitation>,
}

impl DiagnosticCheckResult {
    fn new(what: &'static str, limitation: Option<Limitation>) -> Self {
        Self { what, works: limitation.is_none(), limitation }
    }
}

/// Result of [`diagnose_node`].
#[derive(Debug, Clone, Serialize)]
pub struct NodeDiagnosis {
    /// Server family.
    pub server_flavor: Flavor,
    /// Server version, from `VERSION()`.
    pub server_version: String,
    /// Account of Clew's connection, in the form `user@host`.
    pub account: String,
    /// TLS cipher of the connection, or `None` if the connection does not use TLS.
    pub cipher: Option<String>,
    /// Server time minus local time, in seconds. Positive if the server's clock is ahead.
    pub clock_difference: f64,
    /// Check results, most important first.
    pub checks: Vec<DiagnosticCheckResult>,
}

impl NodeDiagnosis {
    /// Returns true if at least one check failed.
    #[must_use]
    pub fn has_failed_checks(&self) -> bool {
        self.checks.iter().any(|check| !check.works)
    }
}

/// Checks which data the account can read and whether the node's address leads directly to a single server.
///
/// Opens two connections, one after the other. Does not change any data or settings on the server.
/// Fails if Clew cannot connect to the server.
pub async fn diagnose_node(node: &NodeUrl, connector: &NodeConnector) -> Result<NodeDiagnosis, Failure> {
    let checking = async {
        let mut connection = Connection::open(node, connector).await?;
        let account = privileges::read_current_account(&mut connection).await?;
        let cipher = read_tls_cipher(&mut connection).await?;
        let clock_difference = measure_clock_skew(&mut connection).await?;
        let mut checks = run_diagnostic_checks(&mut connection, &account).await?;
        let direct = is_direct_connection(&mut connection).await?;
        let instance = connection.read_server_instance().await?;
        let (server_flavor, server_version) = (connection.flavor, connection.version.clone());
        connection.close().await;
        let mut second = Connection::open(node, connector).await?;
        let same = second.read_server_instance().await? == instance;
        second.close().await;
        let proxied = if same {
            (!direct).then(limitations::describe_indirect_connection)
        } else {
            Some(limitations::describe_load_balanced_address())
        };
        checks.push(DiagnosticCheckResult::new("direct connection", proxied));
        Ok(NodeDiagnosis { server_flavor, server_version, account, cipher, clock_difference, checks })
    };
    let deadline = Instant::now() + connector.limits.read_timeout;
    run_with_deadline(node, connector, deadline, "checking privileges", checking).await
}

/// Returns false if the connection goes through a proxy. A proxy sends its own connection id in the handshake packet.
async fn is_direct_connection(connection: &mut Connection) -> Result<bool, Failure> {
    let mut filter = connection.raw.own_session_filter();
    let visit = |session: Session| {
        filter.is_own_session(&session);
        Ok(())
    };
    connection.for_each_session(4 << 10, visit).await?;
    Ok(connection.raw.is_directly_connected(&filter))
}

async fn read_tls_cipher(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let rows: Vec<(String, String)> = connection.read_rows(sql_statements::TLS_CIPHER_QUERY).await?;
    Ok(rows.into_iter().next().map(|(_, cipher)| cipher).filter(|cipher| !cipher.is_empty()))
}

async fn measure_clock_skew(connection: &mut Connection) -> Result<f64, Failure> {
    let server = connection.read_clock().await?.map_or(0.0, |clock| clock.utc);
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(server - here.as_secs_f64())
}

async fn run_diagnostic_checks(
    connection: &mut Connection,
    account: &str,
) -> Result<Vec<DiagnosticCheckResult>, Failure> {
    let process = privileges::is_probe_query_allowed(connection, sql_statements::TRANSACTIONS_PROBE_QUERY).await?;
    let [own_sessions, no_transactions] = limitations::describe_missing_process_privilege(account);
    let cut = connection.truncates_statement_text().await?;
    let kill = if privileges::has_kill_privilege(connection).await? {
        None
    } else {
        let privilege = privileges::read_kill_privilege_name(connection).await?;
        Some(limitations::describe_missing_kill_privilege(privilege, account))
    };
    let mut checks = vec![
        DiagnosticCheckResult::new("sessions of all accounts", (!process).then_some(own_sessions)),
        DiagnosticCheckResult::new("open transactions", (!process).then_some(no_transactions)),
        DiagnosticCheckResult::new("complete statements", cut.then(limitations::describe_truncated_statements)),
        DiagnosticCheckResult::new("killing sessions", kill),
    ];
    let unreadable = privileges::check_performance_schema_access(connection, account).await?;
    let locks = match &unreadable {
        None => check_metadata_lock_instrument(connection).await?,
        gap => gap.clone(),
    };
    checks.push(DiagnosticCheckResult::new("metadata locks", locks));
    let ages = elapsed_times::check_statement_timer_access(connection).await?;
    checks.push(DiagnosticCheckResult::new("reliable durations", ages));
    let mut losses = Vec::new();
    if unreadable.is_none() {
        losses = lost_instrumentation::detect_lost_instrumentation(connection).await?;
    }
    losses.append(&mut connection.limitations);
    if losses.iter().all(|loss| diagnostic_check_name_for_limitation(loss.kind) != INSTRUMENTATION_CHECK_NAME) {
        checks.push(DiagnosticCheckResult::new(INSTRUMENTATION_CHECK_NAME, None));
    }
    let failed =
        |loss: Limitation| DiagnosticCheckResult::new(diagnostic_check_name_for_limitation(loss.kind), Some(loss));
    checks.extend(losses.into_iter().map(failed));
    let limitations = checks.iter_mut().filter_map(|check| check.limitation.as_mut());
    privileges::suggest_default_roles(connection, limitations).await?;
    Ok(checks)
}

fn diagnostic_check_name_for_limitation(kind: LimitationKind) -> &'static str {
    match kind {
        LimitationKind::SettingRefused => "session variables",
        _ => INSTRUMENTATION_CHECK_NAME,
    }
}

/// performance_schema records metadata locks only if the metadata lock instrument is enabled.
/// Returns a `Limitation` (a note about missing data) if the metadata lock instrument is disabled.
pub(crate) async fn check_metadata_lock_instrument(connection: &mut Connection) -> Result<Option<Limitation>, Failure> {
    let enabled: Option<String> =
        privileges::query_single_value(connection, sql_statements::METADATA_LOCK_INSTRUMENT_QUERY).await?;
    Ok(match enabled.as_deref() {
        Some("YES") => None,
        Some(_) => Some(limitations::describe_unrecorded_metadata_locks()),
        None => Some(limitations::describe_unsupported_metadata_locks()),
    })
}

/// If the process list comes from performance_schema, returns notes about truncated statements and missing sessions.
pub(crate) async fn find_process_list_limitations(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    if !connection.truncates_statement_text().await? {
        return Ok(Vec::new());
    }
    let losses = lost_instrumentation::detect_lost_thread_instrumentation(connection).await?;
    let missing = losses.iter().map(limitations::describe_incomplete_process_list);
    Ok(std::iter::once(limitations::describe_truncated_statements()).chain(missing).collect())
}
