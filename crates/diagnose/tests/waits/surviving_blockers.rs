//! Root blockers that survive a kill.

use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_model::Language;

use super::impact::exclusive_waits;

/// Surviving blockers, each with the number of victims that wait for it and the total number of victims.
fn surviving_counts(graph: &WaitGraph, victims: &[u64]) -> Vec<(u64, usize, usize)> {
    let blockers = graph.find_remaining_blockers(victims);
    blockers.into_iter().map(|one| (one.party.session_id().unwrap(), one.waiting, one.victims)).collect()
}

#[test]
fn root_blocker_outside_the_victims_survives() {
    // 70 blocks 1 to 3, 3 blocks 4; 9 blocks 5.
    let graph = exclusive_waits(&[(1, 70), (2, 70), (3, 70), (4, 3), (5, 9)]);
    assert_eq!(surviving_counts(&graph, &[1, 2, 3, 4]), [(70, 4, 4)]);
    assert_eq!(surviving_counts(&graph, &[1, 2, 5]), [(70, 2, 3), (9, 1, 3)]);
    assert_eq!(surviving_counts(&graph, &[1, 70]), []);
    assert_eq!(surviving_counts(&graph, &[9, 4]), [(70, 1, 2)]);
    assert_eq!(surviving_counts(&graph, &[70, 9]), []);
    assert_eq!(surviving_counts(&graph, &[77]), []);
    assert_eq!(surviving_counts(&graph, &[]), []);
}

#[test]
fn cycle_with_a_victim_is_resolved() {
    let graph = exclusive_waits(&[(1, 2), (2, 1), (3, 1)]);
    assert_eq!(surviving_counts(&graph, &[2, 3]), []);
    assert_eq!(surviving_counts(&graph, &[3]), [(1, 1, 1), (2, 1, 1)]);
}

#[test]
fn warning_names_the_blocker_and_both_counts() {
    let graph = exclusive_waits(&[(1, 70), (2, 70)]);
    let blockers = graph.find_remaining_blockers(&[1, 2]);
    assert_eq!(blockers[0].party, WaitParticipant::Session(70));
    assert_eq!(
        blockers[0].format_warning(Language::EnUs),
        "2 of 2 wait for session 70, which is not among the victims"
    );
    let chinese = blockers[0].format_warning(Language::ZhCn);
    assert_eq!(chinese, "2 个待 Kill 会话中有 2 个在等待会话 70，而该阻塞源不在待 Kill 会话中");
}
