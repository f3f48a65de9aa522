//! `clew instance check`

use std::fmt::Write as _;

use clap::Args as ClapArgs;
use clew_model::{Failure, FailureKind, Node, one_line};
use clew_mysql::{Diagnosis, Limits, examine};
use clew_store::{LoginBackoff, Store};
use jiff::Timestamp;
use serde_json::json;

use super::{Place, find};
use crate::error::CliError;
use crate::{doctor, output};

/// Tell whether the nodes of an instance can be read, and what is missing.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  clew instance check shop")]
pub(crate) struct Arguments {
    /// Name or id
    instance: String,
    #[command(flatten)]
    place: Place,
}

/// Fails if a node cannot be read at all.
pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let inventory = arguments.place.open().await?;
    let instance = find(&inventory, &arguments.instance).await?;
    let mut unreadable = 0;
    let mut text = String::new();
    let mut values = Vec::new();
    let zones = inventory.store.zones().await?;
    for known in &instance.nodes {
        let Some(node) = inventory.store.node_to_read(&known.id).await? else { continue };
        let backoff = inventory.store.login_backoff(&node.id).await?;
        let outcome = examine(&node.url, &Limits::default()).await;
        let backoff = record(&inventory.store, &node, backoff, &outcome).await?;
        unreadable += usize::from(outcome.is_err());
        text.push_str(&format_node(known, &outcome));
        let deserted =
            zones.iter().any(|state| state.zone == known.zone && known.zone.is_some() && state.is_deserted());
        if let Some(zone) = known.zone.as_ref().filter(|_| deserted) {
            let _ = writeln!(
                text,
                "Its zone {zone} has no worker at work, so Clew does not read it (clew worker --zone {zone}).\n"
            );
        }
        if let Some(backoff) = &backoff {
            let _ = writeln!(
                text,
                "Automatic logins wait until {}: {} were refused in a row ({}). fix: repair the account, then run this check again; or \
                 change the credentials with clew instance set-node.\n",
                moment(backoff.retry_at),
                backoff.refusals,
                one_line(&backoff.reason)
            );
        }
        let backoff = backoff.map(|backoff| {
            json!({
                "refused_logins": backoff.refusals, "reason": backoff.reason,
                "next_attempt": moment(backoff.retry_at),
            })
        });
        let (key, outcome) = match outcome {
            Ok(diagnosis) => ("diagnosis", json!(diagnosis)),
            Err(failure) => ("failure", json!(failure)),
        };
        values.push(json!({ "id": known.id, "zone_without_worker": deserted, "login_backoff": backoff, key: outcome }));
    }
    arguments.place.format().say_styled(|| text, || json!({ "nodes": values }))?;
    if unreadable == 0 {
        Ok(())
    } else {
        Err(CliError::failed(format!("{unreadable} of {} nodes cannot be read", instance.nodes.len())))
    }
}

/// A check logs in whatever the back-off is: a user requests it. A login that succeeds ends the back-off. Returns what is left of it.
async fn record(
    store: &Store,
    node: &Node,
    before: Option<LoginBackoff>,
    outcome: &Result<Diagnosis, Failure>,
) -> Result<Option<LoginBackoff>, CliError> {
    match (outcome, before) {
        (Ok(_), Some(_)) => {
            store.clear_login_backoff(&node.id).await?;
            Ok(None)
        }
        (Err(failure), before) if failure.kind == FailureKind::AccessDenied => {
            let refusals = before.map_or(0, |backoff| backoff.refusals);
            store.record_login_refusal(node, refusals, failure).await?;
            Ok(store.login_backoff(&node.id).await?)
        }
        (_, before) => Ok(before),
    }
}

fn moment(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| milliseconds.to_string(), |at| format!("{at:.0}"))
}

fn format_node(node: &Node, outcome: &Result<Diagnosis, Failure>) -> String {
    let said = match outcome {
        Ok(diagnosis) => doctor::text(diagnosis, output::stdout_has_colours()),
        Err(failure) => format!("cannot be read: {failure}\n"),
    };
    format!("{} {} {}\n{said}\n", node.role.name(), node.id, node.url.address())
}
