//! Predefined IAM policies for full access, read-only access, and read-only access with full SQL statements.
//! Each predefined policy has two versions: one for the role-based and one for the identity-based permission model.
//!
//! The read-only policies allow users to list instances and sessions and to collect session lists for download.
//! A project setting determines whether users with a read-only policy see full or masked SQL statements.
//! The `ViewNoKill` policies grant read-only access with full SQL statements, which on-call staff may need.
//! The read-only and `ViewNoKill` policies do not allow users to change anything or kill sessions.

use std::sync::{Arc, LazyLock};

use super::Policy;

/// A policy that Clew predefines.
#[derive(Debug)]
pub struct SystemPolicy {
    /// Name of the policy.
    pub name: &'static str,
    /// Purpose of the policy.
    pub description: &'static str,
    /// Policy document in JSON.
    pub document: &'static str,
    policy: LazyLock<Option<Arc<Policy>>>,
}

impl SystemPolicy {
    /// Returns the cached parsed policy, or `None` if the policy document is invalid.
    #[must_use]
    pub fn parsed_policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }
}

macro_rules! system_policies {
    ($($name:literal $file:literal $description:literal;)+) => {
        /// All system policies.
        pub static SYSTEM_POLICIES: [SystemPolicy; 6] = [$(SystemPolicy {
            name: $name,
            description: $description,
            document: include_str!(concat!("../../policies/", $file)),
            policy: LazyLock::new(|| Policy::parse(include_str!(concat!("../../policies/", $file))).ok().map(Arc::new)),
        }),+];
    };
}

system_policies! {
    "TaurusDB FullAccess" "full-access.role.json"
        "Full access to instances";
    "TaurusDB ReadOnlyAccess" "read-only.role.json"
        "Read-only access to lists, processes and collections, with statement masking as set in the project";
    "TaurusDB ViewNoKillAccess" "view-no-kill.role.json"
        "Read-only access including full statement text, without changes or kills";
    "TaurusDBFullAccessPolicy" "full-access.identity.json"
        "Full access to instances";
    "TaurusDBReadOnlyAccessPolicy" "read-only.identity.json"
        "Read-only access to lists, processes and collections, with statement masking as set in the project";
    "TaurusDBViewNoKillAccessPolicy" "view-no-kill.identity.json"
        "Read-only access including full statement text, without changes or kills";
}

/// Finds a system policy by name.
#[must_use]
pub fn find_system_policy(name: &str) -> Option<&'static Arc<Policy>> {
    SYSTEM_POLICIES.iter().find(|policy| policy.name == name)?.parsed_policy()
}
