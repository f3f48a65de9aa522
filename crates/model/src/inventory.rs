//! Inventory: instances and their nodes.

use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, NodeId, ProjectId};
use crate::node_url::NodeUrl;
use crate::zone::Zone;

/// Role of a node in its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Primary server. An instance has exactly one.
    Master,
    /// Replica.
    Slave,
}

impl NodeRole {
    /// Name in the API and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
        }
    }

    /// Returns the role with the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Master, Self::Slave].into_iter().find(|role| role.name() == name)
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

/// Node of an instance: one database server process. Its URL contains the password only if the caller may read it.
#[derive(Debug, Clone)]
pub struct Node {
    /// Id.
    pub id: NodeId,
    /// Name, unique within the instance.
    pub name: String,
    /// Role.
    pub role: NodeRole,
    /// Address, account and TLS options.
    pub url: NodeUrl,
    /// Zone of the workers that read the node; `None` means any worker.
    pub zone: Option<Zone>,
    /// Time of creation, in seconds since 1970 (UTC).
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
    /// Id of the enterprise project; `0` is the default one.
    pub enterprise_project_id: String,
    /// Tags, sorted by key.
    pub tags: Vec<Tag>,
    /// Nodes, the master first.
    pub nodes: Vec<Node>,
    /// Time of creation, in seconds since 1970 (UTC).
    pub created_at: i64,
    /// Time of the last change, in seconds since 1970 (UTC).
    pub updated_at: i64,
}

/// Node to add.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// Requested id; `None` generates one.
    pub id: Option<NodeId>,
    /// Role.
    pub role: NodeRole,
    /// Address, account, password and TLS options.
    pub url: NodeUrl,
    /// Zone of the workers that read the node; `None` means any worker.
    pub zone: Option<Zone>,
}

/// Instance to add.
#[derive(Debug, Clone)]
pub struct NewInstance {
    /// Requested id; `None` generates one.
    pub id: Option<InstanceId>,
    /// Project that will own the instance.
    pub project_id: ProjectId,
    /// Name: 1 to 128 characters.
    pub name: String,
    /// Id of the enterprise project; `0` is the default one.
    pub enterprise_project_id: String,
    /// Tags with distinct keys.
    pub tags: Vec<Tag>,
    /// Nodes, with exactly one master.
    pub nodes: Vec<NewNode>,
}

/// Filters of the instance list (spec section 3.3). A leading `*` in id or name requests a substring match.
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

/// Page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Number of rows to skip.
    pub offset: u32,
    /// Maximum number of rows: 1 to 100.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}
