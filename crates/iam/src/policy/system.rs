//! System policies for full access, read-only access, and viewing without kills, in both permission models.
//!
//! The read-only policies cover lists, processes and collections, with statements masked as the project requires.
//! The `ViewNoKill` policies also cover full statement text, which on-call engineers need.
//! Neither the read-only policies nor the `ViewNoKill` policies allow changes.

use std::sync::{Arc, LazyLock};

use super::Policy;

/// A predefined policy.
#[derive(Debug)]
pub struct SystemPolicy {
    /// Name of the policy.
    pub name: &'static str,
    /// Purpose of the policy.
    pub description: &'static str,
    /// Policy document.
    pub document: &'static str,
    policy: LazyLock<Option<Arc<Policy>>>,
}

impl SystemPolicy {
    /// Returns the parsed and cached document. `None` means an invalid document, which a test rules out.
    #[must_use]
    pub fn parsed_policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }
}

macro_rules! system_policies {
    ($($name:literal $file:literal $description:literal;)+) => {
        /// All system policies.
        pub static ALL: [SystemPolicy; 6] = [$(SystemPolicy {
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
    ALL.iter().find(|policy| policy.name == name)?.parsed_policy()
}
