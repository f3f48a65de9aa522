//! Properties of every graph, compared with a naive reference implementation.

use std::collections::BTreeSet;

use clew_diagnose::lock_waits::{LockSnapshot, MetadataLockMode, WaitGraph, build_wait_graph};
use proptest::prelude::*;

use crate::builder::{ObservedBuilder, observed, root_counts, signed_id, wait_pairs};

const SESSIONS: u64 = 9;

/// Row waits between a few transactions, some without a session and some missing.
fn row_wait_graphs() -> impl Strategy<Value = LockSnapshot> {
    proptest::collection::vec((1..=SESSIONS, 1..=SESSIONS), 0..20).prop_map(|edges| {
        let mut locks = observed();
        for id in 1..=SESSIONS {
            locks = match id {
                9 => locks,
                8 => locks.transaction(100 + id, 0, "RUNNING"),
                _ => locks.session(id, "Query", "", id, "update").transaction(100 + id, id, "LOCK WAIT"),
            };
        }
        edges.into_iter().fold(locks, |locks, (waiting, blocking)| locks.row_wait(100 + waiting, 100 + blocking))
    })
}

/// Metadata locks of any mode on a few objects, combined with row waits.
fn mixed_graphs() -> impl Strategy<Value = LockSnapshot> {
    let modes = MetadataLockMode::ALL.len();
    let lock = (1..=SESSIONS, 0..3_usize, 0..modes, any::<bool>());
    (row_wait_graphs(), proptest::collection::vec(lock, 0..30), any::<bool>()).prop_map(
        |(locks, metadata, reports_pending)| {
            let objects = ["shop.orders", "shop.items", "other.orders"];
            let states =
                ["Waiting for table metadata lock", "Waiting for table flush", "Waiting for table level lock", ""];
            let mut locks = metadata.into_iter().fold(locks, |locks, (session, object, mode, held)| {
                let (object, mode) = (objects[object], MetadataLockMode::ALL[mode].name());
                if held {
                    locks.granted_lock(session, "TABLE", object, mode)
                } else {
                    locks.pending_lock(session, "TABLE", object, mode)
                }
            });
            for (facts, state) in locks.sessions.iter_mut().zip(states.iter().cycle()) {
                facts.session.state = Some(state.as_bytes().to_vec());
                facts.session.statement = Some(b"alter table orders add x int".to_vec());
            }
            LockSnapshot { reports_pending, ..locks }
        },
    )
}

fn shuffle_rows(observed: &LockSnapshot, seed: u64) -> LockSnapshot {
    let mut state = seed | 1;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut copy = observed.clone();
    let mut shuffle = |len: usize| (1..len).rev().map(|at| (at, random(at + 1))).collect::<Vec<_>>();
    for (one, other) in shuffle(copy.sessions.len()) {
        copy.sessions.swap(one, other);
    }
    for (one, other) in shuffle(copy.transactions.len()) {
        copy.transactions.swap(one, other);
    }
    for (one, other) in shuffle(copy.row_waits.len()) {
        copy.row_waits.swap(one, other);
    }
    for (one, other) in shuffle(copy.metadata_locks.len()) {
        copy.metadata_locks.swap(one, other);
    }
    copy
}

/// Direct and indirect blockers of each party.
fn reachable_blockers(graph: &WaitGraph) -> Vec<(i64, BTreeSet<i64>)> {
    let waits = wait_pairs(graph);
    let names: BTreeSet<i64> = waits.iter().flat_map(|&(waiter, blocker)| [waiter, blocker]).collect();
    let from = |start: i64| {
        let mut met = BTreeSet::new();
        loop {
            let before = met.len();
            let more: Vec<i64> = waits
                .iter()
                .filter(|(waiter, _)| *waiter == start || met.contains(waiter))
                .map(|&(_, blocker)| blocker)
                .collect();
            met.extend(more);
            if met.len() == before {
                return met;
            }
        }
    };
    names.into_iter().map(|name| (name, from(name))).collect()
}

fn assert_matches_reference(graph: &WaitGraph) -> Result<(), TestCaseError> {
    let reach = reachable_blockers(graph);
    let of = |name: i64| &reach.iter().find(|(other, _)| *other == name).unwrap().1;
    // A party is part of a root if all its blockers also wait for it.
    let mut expected: BTreeSet<Vec<i64>> = BTreeSet::new();
    for (name, blockers) in &reach {
        if blockers.iter().all(|&blocker| of(blocker).contains(name)) {
            let mut members: BTreeSet<i64> = blockers.clone();
            members.insert(*name);
            expected.insert(members.into_iter().collect());
        }
    }
    let sorted = |mut names: Vec<i64>| {
        names.sort_unstable();
        names
    };
    let found: BTreeSet<Vec<i64>> = root_counts(graph).into_iter().map(|(names, ..)| sorted(names)).collect();
    prop_assert_eq!(&found, &expected);
    for (members, holds, frees) in root_counts(graph) {
        let waiters: Vec<&BTreeSet<i64>> = reach
            .iter()
            .filter(|(name, blockers)| {
                !members.contains(name) && members.iter().any(|member| blockers.contains(member))
            })
            .map(|(_, blockers)| blockers)
            .collect();
        let others = expected.iter().filter(|root| **root != sorted(members.clone()));
        let others: BTreeSet<i64> = others.flatten().copied().collect();
        let alone = waiters.iter().filter(|blockers| blockers.is_disjoint(&others)).count();
        prop_assert_eq!(holds, waiters.len() + members.len() - 1);
        prop_assert_eq!(frees, alone + members.len() - 1);
    }
    for facts in &graph.parties {
        let name = signed_id(facts.party);
        let behind = reach.iter().filter(|(other, blockers)| *other != name && blockers.contains(&name)).count();
        prop_assert_eq!(graph.count_waiters(facts.party), behind);
    }
    let in_cycles: BTreeSet<i64> = graph.cycles.iter().flatten().copied().map(signed_id).collect();
    let expected: BTreeSet<i64> =
        reach.iter().filter(|(name, blockers)| blockers.contains(name)).map(|(name, _)| *name).collect();
    prop_assert_eq!(in_cycles, expected);
    for facts in &graph.parties {
        let named: BTreeSet<i64> = graph
            .find_root_blockers(facts.party)
            .iter()
            .flat_map(|root| &root.parties)
            .copied()
            .map(signed_id)
            .collect();
        let blockers = of(signed_id(facts.party));
        let expected: BTreeSet<i64> = found.iter().flatten().copied().filter(|name| blockers.contains(name)).collect();
        prop_assert_eq!(named, expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn row_wait_graphs_match_the_reference(observed in row_wait_graphs()) {
        assert_matches_reference(&build_wait_graph(&observed))?;
    }

    #[test]
    fn mixed_wait_graphs_match_the_reference(observed in mixed_graphs()) {
        assert_matches_reference(&build_wait_graph(&observed))?;
    }

    #[test]
    fn graph_is_independent_of_input_order(observed in mixed_graphs(), seed in any::<u64>()) {
        prop_assert_eq!(build_wait_graph(&observed), build_wait_graph(&shuffle_rows(&observed, seed)));
    }

    #[test]
    fn waits_have_no_self_loops_and_no_duplicates(observed in mixed_graphs()) {
        let waits = wait_pairs(&build_wait_graph(&observed));
        prop_assert!(waits.iter().all(|(waiter, blocker)| waiter != blocker));
        let distinct: BTreeSet<&(i64, i64)> = waits.iter().collect();
        prop_assert_eq!(distinct.len(), waits.len());
    }
}
