//! Remedies for root blockers.

use clew_diagnose::lock_waits::{LockSnapshot, RecommendedAction, SessionRole, build_wait_graph};

use crate::builder::{ObservedBuilder, observed};

/// Session 2 waits for the owner of transaction 101.
fn blocked_by(session: u64, state: &str) -> LockSnapshot {
    observed()
        .session(2, "Query", "updating", 9, "update orders")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 101)
        .transaction(101, session, state)
}

#[track_caller]
fn assert_remedy(observed: &LockSnapshot, expected: RecommendedAction<'_>) {
    let graph = build_wait_graph(observed);
    assert_eq!(graph.recommend_action(&graph.roots[0]), Some(expected), "{graph:#?}");
}

#[test]
fn only_user_sessions_are_proposed_for_a_kill() {
    let mut locks = blocked_by(1, "RUNNING").session(1, "Sleep", "", 9, "");
    assert_remedy(&locks, RecommendedAction::Kill(1));
    for role in [SessionRole::Applier, SessionRole::Internal, SessionRole::Clew] {
        locks.sessions[1].role = role;
        assert_remedy(&locks, RecommendedAction::DoNotKill(1, role));
    }
    assert_remedy(&blocked_by(1, "ROLLING BACK").session(1, "Killed", "", 9, ""), RecommendedAction::Wait);
    assert_remedy(&blocked_by(1, "RUNNING"), RecommendedAction::Refresh);
}

#[test]
fn transaction_without_session_is_rolled_back_by_xid() {
    let mut locks = blocked_by(0, "RUNNING");
    assert_remedy(&locks, RecommendedAction::RollBack(None));
    locks.transactions[1].xid = Some("'g1'".to_owned());
    assert_remedy(&locks, RecommendedAction::RollBack(Some("'g1'")));
}

#[test]
fn killable_member_of_a_cycle_is_proposed() {
    let mut locks = blocked_by(1, "LOCK WAIT").row_wait(101, 102).session(1, "Query", "updating", 9, "update orders");
    assert_remedy(&locks, RecommendedAction::Kill(1));
    locks.sessions[1].role = SessionRole::Applier;
    assert_remedy(&locks, RecommendedAction::Kill(2));
}
