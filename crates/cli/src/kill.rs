//! `clew kill URL ID…`: previews the impact, prompts for confirmation and kills sessions or statements.

mod audit;
mod preview;
mod report;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use clew_diagnose::ProtectedAccounts;
use clew_model::Session;
use clew_mysql::{
    ConnectionRegistry, KillOptions, KillRefusal, KillTarget, PreKillSnapshot, SessionLookupResult, Victim,
    find_sessions_by_id, kill_victims,
};
use clew_store::StoreLocation;

use crate::confirmation::ConfirmationArgs;
use crate::error::{CliError, failed, refused};
use crate::node_url::NodeConnectionArgs;
use crate::output::{self, CommandOutputFormat};
use crate::store_args::{DEFAULT_DATA_DIR, MetadataUrlArgs};
use audit::KillAuditLog;
use preview::{SelectedSessions, estimate_kill_impact};
use report::KillReport;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct KillArgs {
    #[command(flatten)]
    node: NodeConnectionArgs,
    /// Ids of the sessions to kill, as shown by clew ps and clew locks
    #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    ids: Vec<u64>,
    /// Kill only the running statements; the sessions keep their transactions and locks
    #[arg(long)]
    query: bool,
    /// Reason for the kill, included in the JSON output and the audit log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    confirmation: ConfirmationArgs,
    /// Show the impact without killing sessions
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Account to protect from kills, in addition to system and cloud vendor accounts (repeatable)
    #[arg(long, value_name = "NAME")]
    protect: Vec<String>,
    /// Data directory whose audit log records the killed sessions, the reason and the outcomes
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    metadata_url: MetadataUrlArgs,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: CommandOutputFormat,
}

fn resolve_audit_log_location(
    data_dir: Option<&Path>,
    metadata_url: &MetadataUrlArgs,
) -> Result<Option<StoreLocation>, CliError> {
    let default = metadata_url.metadata_url.is_some().then_some(Path::new(DEFAULT_DATA_DIR));
    data_dir.or(default).map(|data_dir| metadata_url.resolve_store_location(data_dir)).transpose()
}

const AFTER_HELP: &str = "\
Shows the sessions, their statements, the uncommitted changes of their transactions, and the risks: DDL, maintenance, changes to
non-transactional tables, long rollbacks, replication and backups. Then it prompts for confirmation.

Killing a session rolls back its transaction. The rollback can take as long as the changes took, and the locks are held until it
completes. A session is killed only if it is still the session shown; with --query, only if it still runs the statement shown.
Clew never kills server threads, sessions of protected accounts, or its own sessions.

Examples:
  clew kill mysql://root@127.0.0.1/ 42
  clew kill mysql://root@127.0.0.1/ 42 43 --dry-run
  clew kill mysql://clew@db.example.com/ 42 --query          kill only the statement
  clew kill mysql://clew@db.example.com/ 42 --yes --reason 'blocks checkout' --format json
  clew kill mysql://clew@db.example.com/ 42 --data-dir /var/lib/clew --reason 'blocks checkout'

Exit codes: 0 all sessions have terminated or will terminate; 1 at least one session could not be killed; 2 refused, nothing was killed.";

pub(crate) async fn run(arguments: KillArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    let (node, connector) = arguments.node.parse_node_url_and_timeouts(registry)?;
    let kind = if arguments.query { KillTarget::Query } else { KillTarget::Connection };
    let protected = ProtectedAccounts::default().with_accounts(arguments.protect.iter().map(String::as_bytes));
    let mut seen = HashSet::new();
    let ids: Vec<u64> = arguments.ids.iter().copied().filter(|id| seen.insert(*id)).collect();

    let found = find_sessions_by_id(&node, &ids, &connector).await?;
    ensure_sessions_are_killable(&found, kind, &protected)?;
    let SessionLookupResult { read, sessions, .. } = found;
    let mut selected = SelectedSessions::new(ids.clone(), sessions);
    // With `--yes`, no preview is shown, which spares an overloaded server the additional reads.
    if !arguments.confirmation.should_skip_prompt() {
        selected.impact = Some(estimate_kill_impact(&node, &selected.sessions, &connector).await);
    }
    let report = KillReport { address: node.address(), kind, reason: arguments.reason, selected };
    if arguments.dry_run {
        return arguments
            .format
            .print(|| report.render_kill_preview(output::terminal_width()), || report.to_json(None));
    }
    if !report.selected.sessions.is_empty() && !arguments.confirmation.should_skip_prompt() {
        output::write_stderr(&format!("{}\n", report.render_kill_preview(output::terminal_width())));
        arguments.confirmation.prompt_for_confirmation(report.describe_planned_kill()).await?;
    }
    // Open the audit log first, so that nothing is killed if the audit log is not writable.
    let audit = match resolve_audit_log_location(arguments.data_dir.as_deref(), &arguments.metadata_url)? {
        Some(location) => Some(KillAuditLog::open(location).await?),
        None => None,
    };
    let before = if report.selected.sessions.is_empty() {
        None
    } else {
        Some(PreKillSnapshot::read_pre_kill_snapshot(&node, &connector).await)
    };
    if let Some(Ok(before)) = &before
        && *before.server_instance() != read.server
    {
        return Err(refused!("{}; nothing was killed", KillRefusal::AnotherServer));
    }
    let victim = |session: &Session| match kind {
        KillTarget::Connection => Victim::for_session(session, &read),
        KillTarget::Query => Victim::for_statement(session, &read),
    };
    let victims: Vec<Victim> = report.selected.sessions.iter().map(victim).collect();
    let outcomes = kill_victims(&node, &victims, KillOptions::new(kind, &protected), &connector).await?;
    let outcomes = report.kill_outcomes_by_session_id(&outcomes);
    if let Some(audit) = audit {
        audit.append_kill_audit_events(&report, &outcomes).await?;
    }
    // There is no effect if the server accepted none of the `KILL` statements.
    let effect = match before.filter(|_| outcomes.iter().any(|(_, outcome)| outcome.was_accepted())) {
        Some(Ok(before)) => Some(before.measure_effect_of_kills(&node, kind, &outcomes, &connector).await),
        Some(Err(failure)) => Some(Err(failure)),
        None => None,
    };
    let effect = effect.as_ref();
    arguments
        .format
        .print(|| report::render_kill_outcomes(&outcomes, effect), || report.to_json(Some((&outcomes, effect))))?;
    match outcomes.iter().filter(|(_, outcome)| !outcome.is_success()).count() {
        0 => Ok(()),
        failures => {
            let noun = if kind == KillTarget::Query { "statements" } else { "sessions" };
            Err(failed!("{failures} of {} {noun} could not be killed", outcomes.len()))
        }
    }
}

type KillOutcomes = Vec<(u64, clew_mysql::KillOutcome)>;

fn ensure_sessions_are_killable(
    found: &SessionLookupResult,
    kind: KillTarget,
    protected: &ProtectedAccounts,
) -> Result<(), CliError> {
    let refusal = |session: &Session| Some((session.id, found.predict_kill_refusal(session, kind, protected)?));
    let refused: Vec<(u64, KillRefusal)> = found.sessions.iter().filter_map(refusal).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> =
        refused.iter().map(|(id, why)| format!("session {id} cannot be killed: {why}")).collect();
    let error = refused!("{}; nothing was killed", reasons.join("; "));
    let has = |refusal: KillRefusal| refused.iter().any(|(_, why)| *why == refusal);
    let hint = if has(KillRefusal::Proxied) {
        "use the address of the server itself"
    } else if has(KillRefusal::Idle) {
        "omit --query to kill the session itself, or omit the session id"
    } else {
        "omit the session id"
    };
    Err(error.with_suggested_fix(hint))
}
