//! What must hold for any graph, against a naive reference.

use std::collections::BTreeSet;

use clew_diagnose::waits::{MetadataMode, Observed, WaitGraph, graph};
use proptest::prelude::*;

use crate::build::{Build, number, observed, pairs, roots};

const SESSIONS: u64 = 9;

/// Row waits between any two of a few transactions, some without a session and some unknown.
fn rows() -> impl Strategy<Value = Observed> {
    proptest::collection::vec((1..=SESSIONS, 1..=SESSIONS), 0..20).prop_map(|edges| {
        let mut locks = observed();
        for id in 1..=SESSIONS {
            locks = match id {
                9 => locks,
                8 => locks.transaction(100 + id, 0, "RUNNING"),
                _ => locks.session(id, "Query", "", id, "update").transaction(100 + id, id, "LOCK WAIT"),
            };
        }
        edges.into_iter().fold(locks, |locks, (waiting, blocking)| locks.row(100 + waiting, 100 + blocking))
    })
}

/// Metadata locks of any mode on a few objects, with row waits among them.
fn mixed() -> impl Strategy<Value = Observed> {
    let modes = MetadataMode::ALL.len();
    let lock = (1..=SESSIONS, 0..3_usize, 0..modes, any::<bool>());
    (rows(), proptest::collection::vec(lock, 0..30), any::<bool>()).prop_map(|(locks, metadata, pending_seen)| {
        let objects = ["shop.orders", "shop.items", "other.orders"];
        let states = ["Waiting for table metadata lock", "Waiting for table flush", "Waiting for table level lock", ""];
        let mut locks = metadata.into_iter().fold(locks, |locks, (session, object, mode, held)| {
            let (object, mode) = (objects[object], MetadataMode::ALL[mode].name());
            if held { locks.held(session, "TABLE", object, mode) } else { locks.asked(session, "TABLE", object, mode) }
        });
        for (facts, state) in locks.sessions.iter_mut().zip(states.iter().cycle()) {
            facts.session.state = Some(state.as_bytes().to_vec());
            facts.session.statement = Some(b"alter table orders add x int".to_vec());
        }
        Observed { pending_seen, ..locks }
    })
}

fn shuffled(observed: &Observed, seed: u64) -> Observed {
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

/// For each party, those it waits for, directly or not.
fn naive(graph: &WaitGraph) -> Vec<(i64, BTreeSet<i64>)> {
    let waits = pairs(graph);
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

fn agrees(graph: &WaitGraph) -> Result<(), TestCaseError> {
    let reach = naive(graph);
    let of = |name: i64| &reach.iter().find(|(other, _)| *other == name).unwrap().1;
    // A root: all that it waits for wait for it, too.
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
    let found: BTreeSet<Vec<i64>> = roots(graph).into_iter().map(|(names, ..)| sorted(names)).collect();
    prop_assert_eq!(&found, &expected);
    for (members, holds, frees) in roots(graph) {
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
        let name = number(facts.party);
        let behind = reach.iter().filter(|(other, blockers)| *other != name && blockers.contains(&name)).count();
        prop_assert_eq!(graph.held_up_by(facts.party), behind);
    }
    let in_cycles: BTreeSet<i64> = graph.cycles.iter().flatten().copied().map(number).collect();
    let expected: BTreeSet<i64> =
        reach.iter().filter(|(name, blockers)| blockers.contains(name)).map(|(name, _)| *name).collect();
    prop_assert_eq!(in_cycles, expected);
    for facts in &graph.parties {
        let named: BTreeSet<i64> =
            graph.roots_of(facts.party).iter().flat_map(|root| &root.parties).copied().map(number).collect();
        let blockers = of(number(facts.party));
        let expected: BTreeSet<i64> = found.iter().flatten().copied().filter(|name| blockers.contains(name)).collect();
        prop_assert_eq!(named, expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn roots_and_what_hangs_on_them_are_those_of_plain_search(observed in rows()) {
        agrees(&graph(&observed))?;
    }

    #[test]
    fn so_they_are_across_all_kinds_of_waits(observed in mixed()) {
        agrees(&graph(&observed))?;
    }

    #[test]
    fn the_order_of_reading_counts_for_nothing(observed in mixed(), seed in any::<u64>()) {
        prop_assert_eq!(graph(&observed), graph(&shuffled(&observed, seed)));
    }

    #[test]
    fn nobody_waits_for_itself_and_no_pair_comes_twice(observed in mixed()) {
        let waits = pairs(&graph(&observed));
        prop_assert!(waits.iter().all(|(waiter, blocker)| waiter != blocker));
        let distinct: BTreeSet<&(i64, i64)> = waits.iter().collect();
        prop_assert_eq!(distinct.len(), waits.len());
    }
}
