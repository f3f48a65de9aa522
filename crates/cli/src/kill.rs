//! `clew kill URL ID…`: ends sessions, or what they run, after showing what that costs.

mod audit;
mod preview;
mod report;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use clew_diagnose::{ProtectedAccounts, is_internal};
use clew_model::{Failure, NodeUrl, Session};
use clew_mysql::{
    FoundSessions, KillEffect, KillKind, Limits, ListRead, Refusal, StateBeforeKill, Victim, find_sessions, kill_all,
};
use clew_store::Location;

use crate::configuration::DEFAULT_DATA_DIR;
use crate::confirm::Confirmation;
use crate::error::CliError;
use crate::metadata::Metadata;
use crate::node_url::Target;
use crate::output::{self, Format};
use audit::Audit;
use preview::{Chosen, costs};
use report::Report;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Sessions to end, by the ids that clew ps and clew locks show
    #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    ids: Vec<u64>,
    /// End only what they run: the sessions, their transactions and their locks stay
    #[arg(long)]
    query: bool,
    /// Why; stands with the result, and in the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    confirmation: Confirmation,
    /// Show what would end, and end nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// An account whose sessions are never ended, besides those of the server and of cloud vendors; can be given often
    #[arg(long, value_name = "NAME")]
    protect: Vec<String>,
    /// A folder that clew init made, whose audit keeps who was ended, why, and how it ended
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    metadata: Metadata,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Format,
}

/// Where the audit is, if one is named.
fn audit_location(data_dir: Option<&Path>, metadata: &Metadata) -> Result<Option<Location>, CliError> {
    let default = metadata.is_given().then_some(Path::new(DEFAULT_DATA_DIR));
    data_dir.or(default).map(|folder| metadata.with(folder)).transpose()
}

const AFTER_HELP: &str = "\
Shows who they are, what they run, and what their open transactions have changed: ending a session rolls that back, which can take as
long as the changes took, and the locks stay until it is done. Risks are named: DDL, maintenance and changes of tables without
transactions, long rollbacks, replication and backups. Then it asks. A session is ended only if it is still the one that was
shown; with --query, only if it still runs what was shown. Threads of the server, protected accounts and Clew's own are refused.

Examples:
  clew kill mysql://root@127.0.0.1/ 42
  clew kill mysql://root@127.0.0.1/ 42 43 --dry-run
  clew kill mysql://clew@db.example.com/ 42 --query          the statement only
  clew kill mysql://clew@db.example.com/ 42 --yes --reason 'blocks checkout' --format json
  clew kill mysql://clew@db.example.com/ 42 --data-dir /var/lib/clew --reason 'blocks checkout'

Exit codes: 0 all are gone, were gone before, or are about to go; 1 one could not be ended; 2 refused, and nothing was ended.";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let (node, limits) = arguments.target.resolve()?;
    let kind = if arguments.query { KillKind::Query } else { KillKind::Connection };
    let protected = ProtectedAccounts::default().and(arguments.protect.iter().map(String::as_bytes));
    let mut met = HashSet::new();
    let ids: Vec<u64> = arguments.ids.iter().copied().filter(|id| met.insert(*id)).collect();

    let FoundSessions { read, sessions } = find_sessions(&node, &ids, &limits).await?;
    let mut chosen = Chosen::new(ids.clone(), sessions);
    refuse_those_who_must_live(&chosen.sessions, kind, &protected)?;
    // Nobody would read what it costs, and a sick server need not be asked for it.
    if !arguments.confirmation.is_given() {
        chosen.costs = Some(costs(&node, &chosen.sessions, &limits).await);
    }
    let report = Report { address: node.address(), kind, reason: arguments.reason, chosen };
    if arguments.dry_run {
        return arguments.format.say(|| report.preview(output::terminal_width()), || report.json(None));
    }
    if !report.chosen.sessions.is_empty() && !arguments.confirmation.is_given() {
        output::to_stderr(&format!("{}\n", report.preview(output::terminal_width())));
        arguments.confirmation.ask(report.question()).await?;
    }
    // Before anybody is ended: what cannot be written down is not done.
    let audit = match audit_location(arguments.data_dir.as_deref(), &arguments.metadata)? {
        Some(location) => Some(Audit::open(location).await?),
        None => None,
    };
    let before =
        if report.chosen.sessions.is_empty() { None } else { Some(StateBeforeKill::read(&node, &limits).await) };
    let outcomes = end(&node, &report.chosen.sessions, kind, &read, &protected, &limits).await?;
    let outcomes = report.of_all(&outcomes);
    if let Some(audit) = audit {
        audit.record(&report, &outcomes).await?;
    }
    let effect = effect(before, &node, &outcomes, &limits).await;
    let known = effect.as_ref();
    arguments.format.say(|| report::table(&outcomes, known), || report.json(Some((&outcomes, known))))?;
    match outcomes.iter().filter(|(_, outcome)| !outcome.is_success()).count() {
        0 => Ok(()),
        left => Err(CliError::failed(format!("{left} of {} could not be ended", outcomes.len()))),
    }
}

/// Effect of the kills; nothing where no kill was taken.
async fn effect(
    before: Option<Result<StateBeforeKill, Failure>>,
    node: &NodeUrl,
    outcomes: &[(u64, clew_mysql::KillOutcome)],
    limits: &Limits,
) -> Option<Result<KillEffect, Failure>> {
    let before = before.filter(|_| outcomes.iter().any(|(_, outcome)| outcome.was_taken()))?;
    Some(match before {
        Ok(before) => before.effect(node, outcomes, limits).await,
        Err(failure) => Err(failure),
    })
}

type Outcomes = Vec<(u64, clew_mysql::KillOutcome)>;

async fn end(
    node: &NodeUrl,
    sessions: &[Session],
    kind: KillKind,
    read: &ListRead,
    protected: &ProtectedAccounts,
    limits: &Limits,
) -> Result<Outcomes, CliError> {
    let victim = |session: &Session| match kind {
        KillKind::Connection => Victim::connection_of(session, read),
        KillKind::Query => Victim::statement_of(session, read),
    };
    let victims: Vec<Victim> = sessions.iter().map(victim).collect();
    Ok(kill_all(node, &victims, kind, protected, limits).await?)
}

/// One of them is enough: a list that holds such a session is not what its author meant.
fn refuse_those_who_must_live(
    sessions: &[Session],
    kind: KillKind,
    protected: &ProtectedAccounts,
) -> Result<(), CliError> {
    let why = |session: &Session| {
        if is_internal(session) {
            Some(Refusal::Internal)
        } else if protected.protects(&session.user) {
            Some(Refusal::Protected { user: clew_diagnose::terminal::one_line(&session.user) })
        } else if kind == KillKind::Query && session.command.eq_ignore_ascii_case(b"Sleep") {
            Some(Refusal::Idle)
        } else {
            None
        }
    };
    let refused: Vec<(u64, Refusal)> = sessions.iter().filter_map(|one| Some((one.id, why(one)?))).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = refused.iter().map(|(id, why)| format!("session {id} is not ended: {why}")).collect();
    let error = CliError::refused(format!("{}; nothing was ended", reasons.join("; ")));
    let idle = refused.iter().any(|(_, why)| *why == Refusal::Idle);
    let hint =
        if idle { "leave --query out to end the session itself, or leave that session out" } else { "leave it out" };
    Err(error.with_hint(hint))
}
