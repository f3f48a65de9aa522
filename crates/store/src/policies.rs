//! Types for policies and for attachments of policies to users and groups.

use clew_model::{DomainId, GroupId, PolicyId, ProjectId, UserId};

/// Custom policy in a domain. Times are Unix timestamps in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Unique id.
    pub id: PolicyId,
    /// Name, unique in the domain.
    pub name: String,
    /// Domain that owns the policy.
    pub domain_id: DomainId,
    /// Policy model: `role` for policy versions 1.0 and 1.1, or `identity` for policy version 5.0.
    pub model: String,
    /// Policy document as unparsed text.
    pub document: String,
    /// Description.
    pub description: String,
    /// Creation time.
    pub created_at: i64,
    /// Time of the last change.
    pub updated_at: i64,
}

/// Reference to a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PolicyRef {
    /// Custom policy in a domain.
    Custom(PolicyId),
    /// Built-in policy, by name.
    System(String),
}

/// Limits on the policies of a user or group. The policies of a user include the policies of the user's groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyLimits {
    /// Maximum number of attached policies.
    pub policies: u32,
    /// Maximum total size of the attached policy documents, in bytes.
    pub bytes: u32,
}

impl Default for PolicyLimits {
    /// The default limits allow 100 policies with a total size of 256 KiB.
    /// With 100 policies of 256 KiB in total, the evaluation takes about one millisecond per request.
    fn default() -> Self {
        Self { policies: 100, bytes: 256 << 10 }
    }
}

/// User or group that a policy is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// A user.
    User(UserId),
    /// All members of a group.
    Group(GroupId),
}

/// Attachment of a policy to a user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyAttachment {
    /// The policy.
    pub policy: PolicyRef,
    /// User or group that the policy is attached to.
    pub grantee: Grantee,
    /// Project in which the policy applies, or `None` for all projects.
    pub project: Option<ProjectId>,
}

/// Policy that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicyGrant {
    /// The policy.
    pub policy: GrantedPolicy,
    /// Group that the policy is attached to, or `None` if the policy is attached to the user.
    pub via_group: Option<String>,
    /// Project in which the policy applies, or `None` for all projects.
    pub project: Option<ProjectId>,
}

impl StoredPolicyGrant {
    /// Returns the size of the policy document in bytes, or 0 for a built-in policy.
    #[must_use]
    pub fn document_len(&self) -> usize {
        match &self.policy {
            GrantedPolicy::Custom { document, .. } => document.len(),
            GrantedPolicy::System { .. } => 0,
        }
    }
}

/// Custom or built-in policy that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantedPolicy {
    /// Custom policy in the domain.
    Custom {
        /// Name of the policy.
        name: String,
        /// Document of the policy.
        document: String,
    },
    /// Built-in policy.
    System {
        /// Name of the policy.
        name: String,
    },
}
