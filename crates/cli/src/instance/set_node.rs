//! `clew instance set-node`: changes a node's address, account or password.

use clap::Args;
use clew_model::NodeId;
use serde_json::json;

use super::SelectedProject;
use crate::error::{CliError, failed, refused};
use crate::node_url;

#[derive(Debug, Args)]
pub(crate) struct SetNodeArgs {
    /// Name or id
    instance: String,
    /// Id of the node [default: the only node]
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// New URL
    #[arg(long, value_name = "URL")]
    url: String,
}

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew instance set-node shop --url mysql://clew@10.0.0.5/
  CLEW_DB_PASSWORD=… clew instance set-node shop --node ID --url mysql://clew@10.0.0.6/

If the URL has no password, Clew uses CLEW_DB_PASSWORD or prompts on the terminal. Clew stores the password encrypted.";

pub(super) async fn run(inventory: &SelectedProject, arguments: &SetNodeArgs) -> Result<(), CliError> {
    let instance = inventory.require_instance(&arguments.instance).await?;
    let node = match (&arguments.node, instance.nodes.as_slice()) {
        (None, [only]) => only,
        (None, several) => {
            let ids: Vec<_> = several.iter().map(|node| node.id.as_str()).collect();
            return Err(refused!("select a node with --node: {}", ids.join(", ")));
        }
        (Some(id), nodes) => {
            let node = nodes.iter().find(|node| node.id == *id);
            node.ok_or_else(|| failed!("instance {} has no node {id}", instance.name))?
        }
    };
    let url = node_url::fill_in_missing_password(node_url::parse_node_url(&arguments.url)?)?;
    let SelectedProject { store, project, origin, format } = inventory;
    if !store.instances().set_node_url(origin, &project.id, &instance.id, &node.id, &url).await? {
        return Err(failed!("node {} was removed", node.id));
    }
    format.print(
        || {
            format!(
                "Set the URL of node {} to {url}.\nNext: clew instance check {} tests the login.\n",
                node.id, instance.name
            )
        },
        || json!({ "node_id": node.id, "url": url.to_string() }),
    )
}
