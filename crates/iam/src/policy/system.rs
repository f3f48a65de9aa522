//! System policies: full access, read-only, and view without kill, each in both models.
//!
//! Read-only covers lists, processes and collections, with statements masked as the project requires.
//! `ViewNoKill` also shows full statements, which on-call engineers need.
//! Both allow no changes.

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
    /// Parsed document, cached. `None` if the document is invalid, which a test excludes.
    #[must_use]
    pub fn policy(&self) -> Option<&Arc<Policy>> {
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
        "Everything with instances";
    "TaurusDB ReadOnlyAccess" "read-only.role.json"
        "Lists, processes and collections; statements as the project shows them";
    "TaurusDB ViewNoKillAccess" "view-no-kill.role.json"
        "Everything that can be seen, whole statements too; nothing can be changed or killed";
    "TaurusDBFullAccessPolicy" "full-access.identity.json"
        "Everything with instances";
    "TaurusDBReadOnlyAccessPolicy" "read-only.identity.json"
        "Lists, processes and collections; statements as the project shows them";
    "TaurusDBViewNoKillAccessPolicy" "view-no-kill.identity.json"
        "Everything that can be seen, whole statements too; nothing can be changed or killed";
}

/// Finds a system policy by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Arc<Policy>> {
    ALL.iter().find(|policy| policy.name == name)?.policy()
}
