//! `clew instance check`

use std::fmt::Write as _;

use clap::Args as ClapArgs;
use clew_diagnose::terminal::one_line;
use clew_mysql::{Limits, examine};
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
        let outcome = examine(&node.url, &Limits::default()).await;
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
        values.push(match outcome {
            Ok(diagnosis) => json!({ "id": known.id, "zone_without_worker": deserted, "diagnosis": diagnosis }),
            Err(failure) => json!({ "id": known.id, "zone_without_worker": deserted, "failure": failure }),
        });
    }
    arguments.place.format().say(|| text, || json!({ "nodes": values }))?;
    if unreadable == 0 {
        Ok(())
    } else {
        Err(CliError::failed(format!("{unreadable} of {} nodes cannot be read", instance.nodes.len())))
    }
}

fn format_node(node: &clew_model::Node, outcome: &Result<clew_mysql::Diagnosis, clew_model::Failure>) -> String {
    let said = match outcome {
        Ok(diagnosis) => doctor::text(diagnosis, output::stdout_has_colours()),
        Err(failure) => format!("cannot be read: {}\n", one_line(failure.to_string().as_bytes())),
    };
    format!("{} {} {}\n{said}\n", node.role.name(), node.id, node.url.address())
}
