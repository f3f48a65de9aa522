//! Policies, and whom they are attached to. The documents are text here; `clew-iam` reads them.

use clew_model::{DomainId, GroupId, PolicyId, ProjectId, UserId};

/// A policy of a domain. Times are seconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its id.
    pub id: PolicyId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain that it belongs to.
    pub domain_id: DomainId,
    /// `role` (versions 1.0 and 1.1) or `identity` (version 5.0).
    pub model: String,
    /// The document, as it was put.
    pub document: String,
    /// What it is for.
    pub description: String,
    /// When it was first put.
    pub created_at: i64,
    /// When it was last put.
    pub updated_at: i64,
}

/// A policy that can be attached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PolicyRef {
    /// One of a domain.
    Own(PolicyId),
    /// One that Clew brings along, by its name.
    System(String),
}

/// Limits on the policies that reach one user, directly and through groups, or one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyLimits {
    /// Attachments.
    pub policies: u32,
    /// Bytes of all documents together.
    pub bytes: u32,
}

impl Default for PolicyLimits {
    /// Far above what people write (the cloud allows 20 policies of 6 KiB), and evaluated in about a millisecond.
    fn default() -> Self {
        Self { policies: 100, bytes: 256 << 10 }
    }
}

/// Whom a policy can be attached to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// One user.
    User(UserId),
    /// All members of a group.
    Group(GroupId),
}

/// A policy and whom it is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The policy.
    pub policy: PolicyRef,
    /// Whom it is for.
    pub grantee: Grantee,
    /// The only project that it is good for; nothing means all.
    pub project: Option<ProjectId>,
}

/// A policy that reaches a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// The policy.
    pub policy: StoredPolicy,
    /// Name of the group that it comes through; nothing if it is attached to the user.
    pub via_group: Option<String>,
    /// The only project that it is good for; nothing means all.
    pub project: Option<ProjectId>,
}

impl StoredGrant {
    /// Length of the document, in bytes; 0 for a policy that Clew brings along.
    #[must_use]
    pub fn document_bytes(&self) -> usize {
        match &self.policy {
            StoredPolicy::Own { document, .. } => document.len(),
            StoredPolicy::System { .. } => 0,
        }
    }
}

/// The policy of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPolicy {
    /// One of the domain.
    Own {
        /// Its name.
        name: String,
        /// Its document.
        document: String,
    },
    /// One that Clew brings along.
    System {
        /// Its name.
        name: String,
    },
}
