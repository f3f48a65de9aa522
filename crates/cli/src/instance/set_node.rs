//! `clew instance set-node`

use clap::Args as ClapArgs;
use clew_model::NodeId;
use serde_json::json;

use super::{Inventory, Place, find};
use crate::error::CliError;
use crate::node_url;

/// Change the address, account or password of a node. Logins are attempted again at once.
#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Name or id
    instance: String,
    /// Id of the node [default: the only one]
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// The new URL
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    place: Place,
}

const AFTER_HELP: &str = "\
Examples:
  clew instance set-node shop --url mysql://clew@10.0.0.5/
  CLEW_DB_PASSWORD=… clew instance set-node shop --node ID --url mysql://clew@10.0.0.6/

A password that is not in the URL comes from CLEW_DB_PASSWORD, or is asked for. It is stored sealed.";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let inventory = arguments.place.open().await?;
    let instance = find(&inventory, &arguments.instance).await?;
    let node = match (&arguments.node, instance.nodes.as_slice()) {
        (None, [only]) => only,
        (None, several) => {
            let ids: Vec<_> = several.iter().map(|node| node.id.as_str()).collect();
            return Err(CliError::refused(format!("name the node with --node: {}", ids.join(", "))));
        }
        (Some(id), nodes) => {
            let found = nodes.iter().find(|node| node.id == *id);
            found.ok_or_else(|| CliError::failed(format!("instance {} has no node {id}", instance.name)))?
        }
    };
    let url = node_url::with_password(node_url::parse(&arguments.url)?)?;
    let Inventory { store, project, by } = &inventory;
    if !store.set_node_url(by, &project.id, &instance.id, &node.id, &url).await? {
        return Err(CliError::failed(format!("node {} was removed", node.id)));
    }
    arguments.place.format().say(
        || format!("Node {} is read at {url}.\nNext: clew instance check {} logs in.\n", node.id, instance.name),
        || json!({ "node_id": node.id, "url": url.to_string() }),
    )
}
