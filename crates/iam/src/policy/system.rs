//! The policies that come with Clew: full access, read-only, and "may look, may not kill", each in both models.
//!
//! Read-only sees lists, processes and collections, but statements only as the project shows them: where it masks them,
//! as templates. "ViewNoKill" sees whole statements as well, everything that somebody on call looks at. Neither changes
//! anything.

use std::sync::{Arc, LazyLock};

use super::Policy;

/// A policy that comes with Clew.
#[derive(Debug)]
pub struct SystemPolicy {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The document.
    pub document: &'static str,
    policy: LazyLock<Option<Arc<Policy>>>,
}

impl SystemPolicy {
    /// The document, read once. Nothing if it is wrong, which a test keeps from happening.
    #[must_use]
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }
}

macro_rules! system_policies {
    ($($name:literal $file:literal $description:literal;)+) => {
        /// All of them.
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

/// The one of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Arc<Policy>> {
    ALL.iter().find(|policy| policy.name == name)?.policy()
}
