//! The policies that come with Clew.

use std::sync::Arc;

use clew_iam::decision::{AccessLevel, Action, Target};
use clew_iam::policy::{Model, system};

use crate::facts::Facts;

#[test]
fn all_are_right_without_warnings() {
    assert_eq!(system::ALL.len(), 6);
    for policy in &system::ALL {
        let parsed = policy.policy().unwrap_or_else(|| panic!("{} is no policy", policy.name));
        assert_eq!(parsed.warnings(), [], "{}", policy.name);
        assert!(Arc::ptr_eq(parsed, system::find(policy.name).unwrap()));
        let model = if policy.name.contains(' ') { Model::RoleBased } else { Model::IdentityBased };
        assert_eq!(parsed.model(), model, "{}", policy.name);
    }
    assert!(system::find("TaurusDB").is_none());
}

#[test]
fn each_allows_what_it_is_for() {
    let looks = |action: Action| matches!(action.level, AccessLevel::List | AccessLevel::Read);
    let whole_text = |action: Action| action == Action::GET_REALTIME_SESSION_TEXT;
    for (names, allowed) in [
        (["TaurusDB FullAccess", "TaurusDBFullAccessPolicy"], &(|_| true) as &dyn Fn(Action) -> bool),
        (["TaurusDB ReadOnlyAccess", "TaurusDBReadOnlyAccessPolicy"], &|action| looks(action) && !whole_text(action)),
        (["TaurusDB ViewNoKillAccess", "TaurusDBViewNoKillAccessPolicy"], &looks),
    ] {
        for name in names {
            let policy = system::find(name).unwrap();
            for &action in Action::ALL {
                let facts = Facts { action: action.name.to_owned(), ..Facts::default() };
                // Instances are not identities: none of these opens users, policies or the audit.
                let expected = action.target != Target::Domain && allowed(action);
                let decision = facts.decide(&[policy.as_ref().clone()]);
                assert_eq!(decision.is_allowed(), expected, "{name} {}", action.name);
            }
        }
    }
}
