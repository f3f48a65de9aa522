//! Instances and their nodes: what Clew watches.

use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, NodeId, ProjectId};
use crate::node_url::NodeUrl;
use crate::zone::Zone;

/// Which part a node plays in its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Takes writes. An instance has exactly one.
    Master,
    /// A replica.
    Slave,
}

impl NodeRole {
    /// As it stands in the API and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Master, Self::Slave].into_iter().find(|role| role.name() == name)
    }
}

/// A tag of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// Unique within an instance.
    pub key: String,
    /// May be empty.
    pub value: String,
}

/// One database server process of an instance. Its URL carries the password only where the caller was given it.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its name, unique within the instance.
    pub name: String,
    /// Its part.
    pub role: NodeRole,
    /// Where and as whom it is read.
    pub url: NodeUrl,
    /// Only workers of this zone read it; nothing: any worker.
    pub zone: Option<Zone>,
    /// When it was added, in seconds since 1970 (UTC).
    pub created_at: i64,
}

/// A group of nodes: one master and its replicas.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The project that owns it.
    pub project_id: ProjectId,
    /// Its name, unique within the project.
    pub name: String,
    /// Enterprise project; `0` is the default one.
    pub enterprise_project_id: String,
    /// Tags, sorted by key.
    pub tags: Vec<Tag>,
    /// Nodes, the master first.
    pub nodes: Vec<Node>,
    /// When it was added, in seconds since 1970 (UTC).
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970 (UTC).
    pub updated_at: i64,
}

/// A node to be added.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// A chosen id; nothing means a new one.
    pub id: Option<NodeId>,
    /// Its part.
    pub role: NodeRole,
    /// Where and as whom it is read, with the password.
    pub url: NodeUrl,
    /// Only workers of this zone read it; nothing: any worker.
    pub zone: Option<Zone>,
}

/// An instance to be added.
#[derive(Debug, Clone)]
pub struct NewInstance {
    /// A chosen id; nothing means a new one.
    pub id: Option<InstanceId>,
    /// The project that will own it.
    pub project_id: ProjectId,
    /// Its name: 1 to 128 characters.
    pub name: String,
    /// Enterprise project; `0` is the default one.
    pub enterprise_project_id: String,
    /// Tags with distinct keys.
    pub tags: Vec<Tag>,
    /// At least one node, exactly one of them the master.
    pub nodes: Vec<NewNode>,
}

/// Filters of the instance list (spec section 3.3). A leading `*` of id and name means "contains the rest".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// Exact id, or `*part`.
    pub id: Option<String>,
    /// Exact name, or `*part`.
    pub name: Option<String>,
    /// A node's host: the master's.
    pub private_ip: Option<String>,
    /// A node's host: a replica's.
    pub readonly_private_ip: Option<String>,
    /// All of these tags.
    pub tags: Vec<Tag>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to leave out, from 0.
    pub offset: u32,
    /// Rows to return: 1 to 100.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}
