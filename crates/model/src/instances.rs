//! Inventory: instances and their nodes.

use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, NetworkZone, NodeId, ProjectId};
use crate::node_url::NodeUrl;

crate::named_enum! {
    /// Role of a node in its instance.
    pub enum NodeRole {
        /// Primary server. Each instance has exactly one primary server.
        Master = "master",
        /// Replica.
        Slave = "slave",
    }
}

/// Tag of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// Key, unique within an instance.
    pub key: String,
    /// Value; may be empty.
    pub value: String,
}

/// Database server process that belongs to an instance.
///
/// The field `url` includes the password only if the caller has permission to read the password.
#[derive(Debug, Clone)]
pub struct Node {
    /// Id.
    pub id: NodeId,
    /// Name, unique within the instance.
    pub name: String,
    /// Role.
    pub role: NodeRole,
    /// Address, account and TLS options of the node.
    pub url: NodeUrl,
    /// Network zone of the servers and workers that connect to the node. If `None`, all servers and workers can connect to it.
    pub zone: Option<NetworkZone>,
    /// Creation time as a Unix timestamp in seconds.
    pub created_at: i64,
}

/// Instance: a master and its replicas.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Id.
    pub id: InstanceId,
    /// Project that owns the instance.
    pub project_id: ProjectId,
    /// Name, unique within the project.
    pub name: String,
    /// Enterprise project id; `0` is the default enterprise project.
    pub enterprise_project_id: String,
    /// Tags, sorted by key.
    pub tags: Vec<Tag>,
    /// Nodes, the master first.
    pub nodes: Vec<Node>,
    /// Creation time as a Unix timestamp in seconds.
    pub created_at: i64,
    /// Time when the instance was last modified, as a Unix timestamp in seconds.
    pub updated_at: i64,
}

/// Node to register.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// Id requested by the caller, or `None` if Clew generates the id.
    pub id: Option<NodeId>,
    /// Role.
    pub role: NodeRole,
    /// Address, account, password and TLS options of the node.
    pub url: NodeUrl,
    /// Network zone of the servers and workers that connect to the node. If `None`, all servers and workers can connect to it.
    pub zone: Option<NetworkZone>,
}

/// Instance to register.
#[derive(Debug, Clone)]
pub struct NewInstance {
    /// Id requested by the caller, or `None` if Clew generates the id.
    pub id: Option<InstanceId>,
    /// Project that will own the instance.
    pub project_id: ProjectId,
    /// Name: 1 to 128 characters.
    pub name: String,
    /// Enterprise project id; `0` is the default enterprise project.
    pub enterprise_project_id: String,
    /// Tags with distinct keys.
    pub tags: Vec<Tag>,
    /// Nodes, with exactly one master.
    pub nodes: Vec<NewNode>,
}

/// Filters for the instance list (TaurusDB API spec, section 3.3).
/// A filter by id or name matches exact values; `*part` matches values that contain `part`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// Exact id, or `*part`.
    pub id: Option<String>,
    /// Exact name, or `*part`.
    pub name: Option<String>,
    /// Host of the master.
    pub private_ip: Option<String>,
    /// Host of a replica.
    pub readonly_private_ip: Option<String>,
    /// Tags that the instance must have.
    pub tags: Vec<Tag>,
}

/// Pagination parameters of a list request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// Number of rows to skip.
    pub offset: u32,
    /// Maximum number of rows: 1 to 100.
    pub limit: u32,
}

impl Default for Pagination {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}
