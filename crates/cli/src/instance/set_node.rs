//! `clew instance set-node`: changes a node's address, account or password.

use clap::Args as ClapArgs;
use clew_model::NodeId;
use serde_json::json;

use super::{ProjectSelectionArgs, SelectedProject, require_instance};
use crate::error::CliError;
use crate::node_url;

/// Change a node's address, account or password, and clear its login backoff.
#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SetNodeArgs {
    /// Name or id
    instance: String,
    /// Id of the node [default: the only node]
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// New URL
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    project_args: ProjectSelectionArgs,
}

const AFTER_HELP: &str = "\
Examples:
  clew instance set-node shop --url mysql://clew@10.0.0.5/
  CLEW_DB_PASSWORD=… clew instance set-node shop --node ID --url mysql://clew@10.0.0.6/

If the URL has no password, Clew uses CLEW_DB_PASSWORD or prompts on the terminal. Clew stores the password encrypted.";

pub(crate) async fn run(arguments: SetNodeArgs) -> Result<(), CliError> {
    let inventory = arguments.project_args.open_store_and_select_project().await?;
    let instance = require_instance(&inventory, &arguments.instance).await?;
    let node = match (&arguments.node, instance.nodes.as_slice()) {
        (None, [only]) => only,
        (None, several) => {
            let ids: Vec<_> = several.iter().map(|node| node.id.as_str()).collect();
            return Err(CliError::new_refusal(format!("select a node with --node: {}", ids.join(", "))));
        }
        (Some(id), nodes) => {
            let node = nodes.iter().find(|node| node.id == *id);
            node.ok_or_else(|| CliError::new_failure(format!("instance {} has no node {id}", instance.name)))?
        }
    };
    let url = node_url::fill_in_missing_password(node_url::parse_node_url(&arguments.url)?)?;
    let SelectedProject { store, project, origin } = &inventory;
    if !store.instances().set_node_url(origin, &project.id, &instance.id, &node.id, &url).await? {
        return Err(CliError::new_failure(format!("node {} was removed", node.id)));
    }
    arguments.project_args.output_format().print(
        || {
            format!(
                "Set the URL of node {} to {url}.\nNext: clew instance check {} tests the login.\n",
                node.id, instance.name
            )
        },
        || json!({ "node_id": node.id, "url": url.to_string() }),
    )
}
