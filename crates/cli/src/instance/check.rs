//! `clew instance check`: logs in to each node of an instance and reports missing privileges.

use std::fmt::Write as _;

use clew_model::{Failure, FailureKind, Node, to_single_line};
use clew_mysql::{ConnectionRegistry, NodeConnector, NodeDiagnosis, ReadLimits, diagnose_node};
use clew_store::{LoginBackoff, Store};
use jiff::Timestamp;
use serde_json::json;

use super::SelectedProject;
use crate::doctor;
use crate::error::{CliError, failed};
use crate::output::{self, CommandOutputFormat};

pub(super) const AFTER_HELP: &str = "\
Example:
  clew instance check shop

Exit codes: 0 no limitations; 1 a node is not accessible; 3 the account or server of a node has limitations.";

/// Ignores login backoffs, because the user explicitly requested a connection check.
pub(super) async fn run(
    inventory: &SelectedProject,
    instance: &str,
    registry: ConnectionRegistry,
) -> Result<(), CliError> {
    let instance = inventory.require_instance(instance).await?;
    let connector = NodeConnector { limits: ReadLimits::default(), registry };
    let mut inaccessible = 0;
    let mut has_failed_checks = false;
    let mut text = String::new();
    let mut values = Vec::new();
    let zones = inventory.store.zones().list_zone_states().await?;
    for listed in &instance.nodes {
        let Some(node) = inventory.store.instances().find_node_with_password(&listed.id).await? else { continue };
        let backoff = inventory.store.instances().find_login_backoff(&node.id).await?;
        let outcome = diagnose_node(&node.url, &connector).await;
        let backoff = update_login_backoff(&inventory.store, &node, backoff, &outcome).await?;
        inaccessible += usize::from(outcome.is_err());
        has_failed_checks |= outcome.as_ref().is_ok_and(NodeDiagnosis::has_failed_checks);
        text.push_str(&format_node_report(listed, &outcome));
        let zone_without_worker =
            zones.iter().any(|state| state.zone == listed.zone && listed.zone.is_some() && state.lacks_workers());
        if let Some(zone) = listed.zone.as_ref().filter(|_| zone_without_worker) {
            let _ = writeln!(
                text,
                "Zone {zone} has no running worker, so Clew does not read this node. Fix: run clew worker --zone {zone}\n"
            );
        }
        if let Some(backoff) = &backoff {
            let _ = writeln!(
                text,
                "Login backoff until {}; refused logins: {} ({}). Fix: correct the account and run this check again, or change the \
                 credentials with clew instance set-node.\n",
                format_retry_timestamp(backoff.retry_at),
                backoff.refusals,
                to_single_line(&backoff.reason)
            );
        }
        let backoff = backoff.map(|backoff| {
            json!({
                "refused_logins": backoff.refusals, "reason": backoff.reason,
                "next_attempt": format_retry_timestamp(backoff.retry_at),
            })
        });
        let (key, outcome) = match outcome {
            Ok(diagnosis) => ("diagnosis", json!(diagnosis)),
            Err(failure) => ("failure", json!(failure)),
        };
        values.push(json!({
            "id": listed.id, "zone_without_worker": zone_without_worker, "login_backoff": backoff, key: outcome,
        }));
    }
    match inventory.format {
        CommandOutputFormat::Table => output::write_stdout_with_colors(&text)?,
        CommandOutputFormat::Json => output::write_stdout(&output::to_json_text(&json!({ "nodes": values }))?)?,
    }
    if inaccessible > 0 {
        Err(failed!("{inaccessible} of {} nodes are not accessible", instance.nodes.len()))
    } else if has_failed_checks {
        Err(CliError::LimitationsFound)
    } else {
        Ok(())
    }
}

async fn update_login_backoff(
    store: &Store,
    node: &Node,
    before: Option<LoginBackoff>,
    outcome: &Result<NodeDiagnosis, Failure>,
) -> Result<Option<LoginBackoff>, CliError> {
    match (outcome, before) {
        (Ok(_), Some(_)) => {
            store.instances().clear_login_backoff(&node.id).await?;
            Ok(None)
        }
        (Err(failure), before) if failure.kind == FailureKind::AccessDenied => {
            let refusals = before.map_or(0, |backoff| backoff.refusals);
            store.instances().record_login_refusal(node, refusals, failure).await?;
            Ok(store.instances().find_login_backoff(&node.id).await?)
        }
        (_, before) => Ok(before),
    }
}

fn format_retry_timestamp(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| milliseconds.to_string(), |at| format!("{at:.0}"))
}

fn format_node_report(node: &Node, outcome: &Result<NodeDiagnosis, Failure>) -> String {
    let report = match outcome {
        Ok(diagnosis) => doctor::render_diagnosis(diagnosis, output::stdout_supports_colors()),
        Err(failure) => format!("not accessible: {failure}\n"),
    };
    format!("{} {} {}\n{report}\n", node.role.name(), node.id, node.url.address())
}
