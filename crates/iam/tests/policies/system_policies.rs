//! System policies.

use std::sync::Arc;

use clew_iam::decision::{AccessLevel, Action, ActionResourceType};
use clew_iam::policy::{PermissionModel, system_policies};

use crate::facts::Facts;

#[test]
fn system_policies_parse_without_warnings() {
    assert_eq!(system_policies::SYSTEM_POLICIES.len(), 6);
    for policy in &system_policies::SYSTEM_POLICIES {
        let parsed = policy.parsed_policy().unwrap_or_else(|| panic!("{} is no policy", policy.name));
        assert_eq!(parsed.warnings(), [], "{}", policy.name);
        assert!(Arc::ptr_eq(parsed, system_policies::find_system_policy(policy.name).unwrap()));
        let model = if policy.name.contains(' ') { PermissionModel::RoleBased } else { PermissionModel::IdentityBased };
        assert_eq!(parsed.permission_model(), model, "{}", policy.name);
    }
    assert!(system_policies::find_system_policy("TaurusDB").is_none());
}

#[test]
fn system_policies_allow_the_intended_actions() {
    let is_read_only = |action: Action| matches!(action.level, AccessLevel::List | AccessLevel::Read);
    let shows_full_text = |action: Action| action == Action::GET_REALTIME_SESSION_TEXT;
    for (names, allowed) in [
        (["TaurusDB FullAccess", "TaurusDBFullAccessPolicy"], &(|_| true) as &dyn Fn(Action) -> bool),
        (["TaurusDB ReadOnlyAccess", "TaurusDBReadOnlyAccessPolicy"], &|action| {
            is_read_only(action) && !shows_full_text(action)
        }),
        (["TaurusDB ViewNoKillAccess", "TaurusDBViewNoKillAccessPolicy"], &is_read_only),
    ] {
        for name in names {
            let policy = system_policies::find_system_policy(name).unwrap();
            for &action in Action::ALL {
                let facts = Facts { action: action.name.to_owned(), ..Facts::default() };
                // No system policy grants access to users, policies or the audit.
                let expected = action.target != ActionResourceType::Domain && allowed(action);
                let decision = facts.decide(&[policy.as_ref().clone()]);
                assert_eq!(decision.is_allowed(), expected, "{name} {}", action.name);
            }
        }
    }
}
