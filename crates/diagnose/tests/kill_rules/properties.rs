//! Properties that hold for every rule and every session.

use std::collections::BTreeSet;

use clew_diagnose::{KillRule, KillVerdict, ProtectedAccounts, is_internal_session, select_sessions_to_kill};
use clew_model::{KillCriteria, Session};
use proptest::prelude::*;

use crate::generators::{criteria, protected, sessions};

/// Sessions that the preview of a rule lists.
fn preview(rule: &KillRule, sessions: &[Session], protected: &ProtectedAccounts) -> BTreeSet<u64> {
    let killed = |session: &&Session| rule.evaluate_session(session, protected) == KillVerdict::Killed;
    sessions.iter().filter(killed).map(|session| session.id).collect()
}

/// Adds one criterion of another rule. The additional criterion never adds a match.
fn add_criterion(one: &KillCriteria, other: &KillCriteria, which: usize) -> KillCriteria {
    let mut narrow = one.clone();
    match which {
        0 => narrow.user = narrow.user.or_else(|| other.user.clone()),
        1 => narrow.host = narrow.host.or_else(|| other.host.clone()),
        2 => narrow.database = narrow.database.or_else(|| other.database.clone()),
        3 => narrow.command = narrow.command.or_else(|| other.command.clone()),
        4 => narrow.sql_key = narrow.sql_key.or_else(|| other.sql_key.clone()),
        _ => narrow.seconds = narrow.seconds.max(other.seconds),
    }
    narrow
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_rule_skips_internal_protected_and_terminating_sessions(
        rules in proptest::collection::vec((criteria(), any::<bool>()), 1..=5), sessions in sessions(), protected in protected(),
    ) {
        let rules: Vec<_> = rules.iter().map(|(rule, masked)| KillRule::new(rule).with_statement_masking(*masked)).collect();
        for (_, victim) in select_sessions_to_kill(&rules, sessions, &protected) {
            prop_assert!(!is_internal_session(&victim), "{victim:?}");
            prop_assert!(!protected.is_protected(&victim.user), "{victim:?}");
            prop_assert!(!ProtectedAccounts::default().is_protected(&victim.user), "{victim:?}");
            prop_assert!(victim.command != b"Killed", "{victim:?}");
        }
    }

    #[test]
    fn victims_of_all_rules_are_the_union_of_their_previews(
        rules in proptest::collection::vec((criteria(), any::<bool>()), 1..=5), sessions in sessions(), protected in protected(),
    ) {
        let rules: Vec<_> = rules.iter().map(|(rule, masked)| KillRule::new(rule).with_statement_masking(*masked)).collect();
        let previews: Vec<_> = rules.iter().map(|rule| preview(rule, &sessions, &protected)).collect();
        let killed = select_sessions_to_kill(&rules, sessions, &protected);
        for (rule, victim) in &killed {
            prop_assert!(previews[*rule].contains(&victim.id), "rule {rule} kills {victim:?}, which is not in its preview");
            prop_assert!(previews[..*rule].iter().all(|before| !before.contains(&victim.id)), "an earlier rule kills it");
        }
        let ids: BTreeSet<u64> = killed.iter().map(|(_, victim)| victim.id).collect();
        prop_assert_eq!(ids.len(), killed.len(), "a session is killed once");
        prop_assert_eq!(ids, previews.into_iter().flatten().collect());
    }

    #[test]
    fn additional_criterion_never_adds_a_victim(
        one in criteria(), other in criteria(), which in 0..6_usize, masked in any::<bool>(), sessions in sessions(), protected in protected(),
    ) {
        let of = |criteria: &KillCriteria| preview(&KillRule::new(criteria).with_statement_masking(masked), &sessions, &protected);
        let (wide, narrow) = (of(&one), of(&add_criterion(&one, &other, which)));
        prop_assert!(narrow.is_subset(&wide), "{narrow:?} is not among {wide:?}");
    }

    #[test]
    fn additional_protected_account_never_adds_a_victim(
        rule in criteria(), account in "[a-z]{1,3}|app|App|batch", sessions in sessions(), protected in protected(),
    ) {
        let rule = KillRule::new(&rule);
        let more = protected.clone().with_accounts([account]);
        prop_assert!(preview(&rule, &sessions, &more).is_subset(&preview(&rule, &sessions, &protected)));
    }
}
