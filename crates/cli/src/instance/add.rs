//! `clew instance add`: registers an instance and its nodes.

use clap::Args;
use clew_model::{InstanceId, NetworkZone, NewInstance, NewNode, Node, NodeId, NodeRole, Tag};
use serde_json::json;

use super::{SelectedProject, parse_tag, render_instance};
use crate::error::{CliError, refused};
use crate::{identity_directory, node_url};

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Name, unique in the project
    #[arg(long)]
    name: String,
    /// Node URL (repeatable). Optional suffixes: ,role=master or ,role=slave, and ,zone=ZONE.
    /// If a node has a zone, only servers and workers in that zone connect to the node.
    /// The first node is the master, unless another node has role=master
    #[arg(long = "node", value_name = "URL[,role=ROLE][,zone=ZONE]", required = true)]
    nodes: Vec<String>,
    /// Tag (repeatable)
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<Tag>,
    /// Name or id of the enterprise project
    #[arg(long, value_name = "NAME", default_value = "0")]
    enterprise_project: String,
    /// Id of the new instance [default: a generated id]
    #[arg(long, value_name = "ID")]
    id: Option<InstanceId>,
    /// Node id; the first --node-id applies to the first --node, and so on (repeatable) [default: generated ids]
    #[arg(long = "node-id", value_name = "ID")]
    node_ids: Vec<NodeId>,
}

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew instance add --name orders --node mysql://clew@10.0.0.5/
  CLEW_DB_PASSWORD=… clew instance add --name shop --tag env=prod \\
      --node mysql://clew@10.0.0.5:3306/?tls=required,role=master --node mysql://clew@10.0.0.6:3306/,role=slave

If the URL has no password, Clew uses CLEW_DB_PASSWORD or prompts on the terminal. Clew stores the password encrypted.";

/// Awaiting `inventory` opens the store, so the arguments are validated first.
pub(super) async fn run(
    arguments: AddArgs,
    inventory: impl Future<Output = Result<SelectedProject, CliError>>,
) -> Result<(), CliError> {
    if !arguments.node_ids.is_empty() && arguments.node_ids.len() != arguments.nodes.len() {
        return Err(refused!(
            "{} --node options but {} --node-id options; set one --node-id per node, or none",
            arguments.nodes.len(),
            arguments.node_ids.len()
        ));
    }
    let nodes = parse_new_nodes(&arguments.nodes, &arguments.node_ids)?;
    let SelectedProject { store, project, origin, format } = inventory.await?;
    let enterprise_project =
        identity_directory::find_enterprise_project(&store, &project.domain_id, &arguments.enterprise_project).await?;
    let new = NewInstance {
        id: arguments.id,
        project_id: project.id,
        name: arguments.name,
        enterprise_project_id: enterprise_project.id,
        tags: arguments.tags,
        nodes,
    };
    let instance = store.instances().add_instance(&origin, new).await?;
    format.print(
        || {
            let instance_text = render_instance(&instance);
            format!("{instance_text}\nNext: clew instance check {} checks access to the nodes.\n", instance.id)
        },
        || {
            let node = |node: &Node| json!({ "id": node.id, "role": node.role });
            json!({ "instance_id": instance.id, "nodes": instance.nodes.iter().map(node).collect::<Vec<_>>() })
        },
    )
}

fn parse_new_nodes(specs: &[String], ids: &[NodeId]) -> Result<Vec<NewNode>, CliError> {
    let parsed = specs.iter().map(|text| parse_node_spec(text)).collect::<Result<Vec<_>, _>>()?;
    let has_master = parsed.iter().any(|node| node.role == Some(NodeRole::Master));
    parsed
        .into_iter()
        .enumerate()
        .map(|(index, NodeSpec { url, role, zone })| {
            let default = if index == 0 && !has_master { NodeRole::Master } else { NodeRole::Slave };
            Ok(NewNode {
                id: ids.get(index).cloned(),
                role: role.unwrap_or(default),
                url: node_url::fill_in_missing_password(node_url::parse_node_url(url)?)?,
                zone,
            })
        })
        .collect()
}

#[derive(Debug, Default)]
struct NodeSpec<'a> {
    url: &'a str,
    role: Option<NodeRole>,
    zone: Option<NetworkZone>,
}

/// Parses the suffixes from right to left, because the URL itself can contain commas.
fn parse_node_spec(text: &str) -> Result<NodeSpec<'_>, CliError> {
    let mut node = NodeSpec { url: text, ..NodeSpec::default() };
    while let Some((url, last)) = node.url.rsplit_once(',') {
        if let Some(role) = last.strip_prefix("role=") {
            let parsed = NodeRole::from_name(role);
            let unknown = || refused!("invalid role {role:?}; valid roles: master, slave");
            node.role = Some(parsed.ok_or_else(unknown)?);
        } else if let Some(zone) = last.strip_prefix("zone=") {
            node.zone = Some(zone.parse().map_err(|error: clew_model::ApiIdParseError| refused!("{error}"))?);
        } else {
            break;
        }
        node.url = url;
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(specs: &[&str]) -> Vec<NodeRole> {
        let specs: Vec<_> = specs.iter().map(|&text| text.to_owned()).collect();
        parse_new_nodes(&specs, &[]).unwrap().into_iter().map(|node| node.role).collect()
    }

    #[test]
    fn first_node_is_the_default_master() {
        use NodeRole::{Master, Slave};
        assert_eq!(roles(&["mysql://a:b@x/", "mysql://a:b@y/"]), [Master, Slave]);
        assert_eq!(roles(&["mysql://a:b@x/", "mysql://a:b@y/,role=master"]), [Slave, Master]);
        assert_eq!(roles(&["mysql://a:b@x/?tls=off,role=slave"]), [Slave]);
    }

    #[test]
    fn role_and_zone_are_parsed_in_any_order() {
        for spec in ["mysql://a@x/?tls=off,zone=dmz,role=slave", "mysql://a@x/?tls=off,role=slave,zone=dmz"] {
            let node = parse_node_spec(spec).unwrap();
            assert_eq!((node.url, node.role), ("mysql://a@x/?tls=off", Some(NodeRole::Slave)), "{spec}");
            assert_eq!(node.zone.unwrap().as_str(), "dmz", "{spec}");
        }
    }

    #[test]
    fn invalid_roles_zones_and_tags_are_rejected() {
        assert!(parse_node_spec("mysql://a@x/,role=king").is_err());
        assert!(parse_node_spec("mysql://a@x/,zone=").is_err());
        assert!(parse_tag("env").is_err());
        assert!(parse_tag("=x").is_err());
        assert_eq!(parse_tag("k=a=b").unwrap(), Tag { key: "k".into(), value: "a=b".into() });
    }
}
