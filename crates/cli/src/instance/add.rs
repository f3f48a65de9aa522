//! `clew instance add`

use clap::Args as ClapArgs;
use clew_model::{InstanceId, NewInstance, NewNode, NodeId, NodeRole, Tag, Zone};

use super::{Inventory, Place, describe, parse_tag};
use crate::error::CliError;
use crate::output::Format;
use crate::{directory, node_url, output};

/// Add an instance: a master node and its replicas.
#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Name, unique in the project
    #[arg(long)]
    name: String,
    /// A node: URL, then ,role=master or ,role=slave, and ,zone=ZONE if only workers of that zone may read it; the first is the master
    /// unless one says so
    #[arg(long = "node", value_name = "URL[,role=ROLE][,zone=ZONE]", required = true)]
    nodes: Vec<String>,
    /// A tag
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<Tag>,
    /// Name or id of the enterprise project
    #[arg(long, value_name = "NAME", default_value = "0")]
    enterprise_project: String,
    /// Id of the instance, instead of a new one
    #[arg(long, value_name = "ID")]
    id: Option<InstanceId>,
    /// Ids of the nodes in their order, instead of new ones
    #[arg(long = "node-id", value_name = "ID")]
    node_ids: Vec<NodeId>,
    #[command(flatten)]
    place: Place,
}

const AFTER_HELP: &str = "\
Examples:
  clew instance add --name orders --node mysql://clew@10.0.0.5/
  CLEW_DB_PASSWORD=… clew instance add --name shop --tag env=prod \\
      --node mysql://clew@10.0.0.5:3306/?tls=required,role=master --node mysql://clew@10.0.0.6:3306/,role=slave

A password that is not in the URL comes from CLEW_DB_PASSWORD, or is asked for. It is kept sealed.";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    if !arguments.node_ids.is_empty() && arguments.node_ids.len() != arguments.nodes.len() {
        return Err(CliError::refused(format!(
            "{} --node but {} --node-id; give one for each node, or none",
            arguments.nodes.len(),
            arguments.node_ids.len()
        )));
    }
    let nodes = nodes(&arguments.nodes, &arguments.node_ids)?;
    let Inventory { store, project, by } = arguments.place.open().await?;
    let enterprise_project =
        directory::enterprise_project(&store, &project.domain_id, &arguments.enterprise_project).await?;
    let new = NewInstance {
        id: arguments.id,
        project_id: project.id,
        name: arguments.name,
        enterprise_project_id: enterprise_project.id,
        tags: arguments.tags,
        nodes,
    };
    let instance = store.add_instance(&by, new).await?;
    output::to_stdout(&match arguments.place.format() {
        Format::Table => format!(
            "{}\nNext: clew instance check {} tells whether its nodes can be read.\n",
            describe::one(&instance),
            instance.id
        ),
        Format::Json => {
            let nodes: Vec<_> =
                instance.nodes.iter().map(|node| serde_json::json!({ "id": node.id, "role": node.role })).collect();
            output::json_text(&serde_json::json!({ "instance_id": instance.id, "nodes": nodes }))?
        }
    })
}

/// Every node with its role: the first is the master where none is named.
fn nodes(typed: &[String], ids: &[NodeId]) -> Result<Vec<NewNode>, CliError> {
    let parsed = typed.iter().map(|text| parse_node(text)).collect::<Result<Vec<_>, _>>()?;
    let master_named = parsed.iter().any(|node| node.role == Some(NodeRole::Master));
    parsed
        .into_iter()
        .enumerate()
        .map(|(at, TypedNode { url, role, zone })| {
            let default = if at == 0 && !master_named { NodeRole::Master } else { NodeRole::Slave };
            Ok(NewNode {
                id: ids.get(at).cloned(),
                role: role.unwrap_or(default),
                url: node_url::with_password(node_url::parse(url)?)?,
                zone,
            })
        })
        .collect()
}

/// A node as it is typed.
#[derive(Debug, Default)]
struct TypedNode<'a> {
    url: &'a str,
    role: Option<NodeRole>,
    zone: Option<Zone>,
}

/// A comma may stand in a URL, so role and zone are what follows the last commas, in any order.
fn parse_node(text: &str) -> Result<TypedNode<'_>, CliError> {
    let mut node = TypedNode { url: text, ..TypedNode::default() };
    while let Some((url, last)) = node.url.rsplit_once(',') {
        if let Some(role) = last.strip_prefix("role=") {
            let known = NodeRole::from_name(role);
            let unknown = || CliError::refused(format!("role cannot be {role:?}; it is master or slave"));
            node.role = Some(known.ok_or_else(unknown)?);
        } else if let Some(zone) = last.strip_prefix("zone=") {
            node.zone = Some(zone.parse().map_err(|wrong: clew_model::NotAZone| CliError::refused(wrong.to_string()))?);
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

    fn roles(typed: &[&str]) -> Vec<NodeRole> {
        let typed: Vec<_> = typed.iter().map(|&text| text.to_owned()).collect();
        nodes(&typed, &[]).unwrap().into_iter().map(|node| node.role).collect()
    }

    #[test]
    fn the_first_node_is_the_master_unless_one_says_so() {
        use NodeRole::{Master, Slave};
        assert_eq!(roles(&["mysql://a:b@x/", "mysql://a:b@y/"]), [Master, Slave]);
        assert_eq!(roles(&["mysql://a:b@x/", "mysql://a:b@y/,role=master"]), [Slave, Master]);
        assert_eq!(roles(&["mysql://a:b@x/?tls=off,role=slave"]), [Slave]);
    }

    #[test]
    fn role_and_zone_come_in_any_order_behind_the_url() {
        for typed in ["mysql://a@x/?tls=off,zone=dmz,role=slave", "mysql://a@x/?tls=off,role=slave,zone=dmz"] {
            let node = parse_node(typed).unwrap();
            assert_eq!((node.url, node.role), ("mysql://a@x/?tls=off", Some(NodeRole::Slave)), "{typed}");
            assert_eq!(node.zone.unwrap().as_str(), "dmz", "{typed}");
        }
    }

    #[test]
    fn odd_roles_and_tags_are_refused() {
        assert!(parse_node("mysql://a@x/,role=king").is_err());
        assert!(parse_node("mysql://a@x/,zone=").is_err());
        assert!(parse_tag("env").is_err());
        assert!(parse_tag("=x").is_err());
        assert_eq!(parse_tag("k=a=b").unwrap(), Tag { key: "k".into(), value: "a=b".into() });
    }
}
