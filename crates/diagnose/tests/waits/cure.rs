//! What ends a root blocker.

use clew_diagnose::waits::{Cure, Observed, SessionRole, graph};

use crate::build::{Build, observed};

/// Session 2 waits for whoever has transaction 101.
fn blocked_by(session: u64, state: &str) -> Observed {
    observed()
        .session(2, "Query", "updating", 9, "update orders")
        .transaction(102, 2, "LOCK WAIT")
        .row(102, 101)
        .transaction(101, session, state)
}

#[track_caller]
fn expect(observed: &Observed, cure: Cure<'_>) {
    let graph = graph(observed);
    assert_eq!(graph.cure(&graph.roots[0]), Some(cure), "{graph:#?}");
}

#[test]
fn a_clients_session_is_killed_and_no_other() {
    let mut locks = blocked_by(1, "RUNNING").session(1, "Sleep", "", 9, "");
    expect(&locks, Cure::Kill(1));
    for role in [SessionRole::Applier, SessionRole::Internal, SessionRole::Clew] {
        locks.sessions[1].role = role;
        expect(&locks, Cure::Leave(1, role));
    }
    expect(&blocked_by(1, "ROLLING BACK").session(1, "Killed", "", 9, ""), Cure::Wait);
    expect(&blocked_by(1, "RUNNING"), Cure::LookAgain);
}

#[test]
fn a_transaction_of_no_session_is_rolled_back_by_its_name() {
    let mut locks = blocked_by(0, "RUNNING");
    expect(&locks, Cure::RollBack(None));
    locks.transactions[1].xid = Some("'g1'".to_owned());
    expect(&locks, Cure::RollBack(Some("'g1'")));
}

#[test]
fn of_a_cycle_one_is_killed_that_may_be() {
    let mut locks = blocked_by(1, "LOCK WAIT").row(101, 102).session(1, "Query", "updating", 9, "update orders");
    expect(&locks, Cure::Kill(1));
    locks.sessions[1].role = SessionRole::Applier;
    expect(&locks, Cure::Kill(2));
}
