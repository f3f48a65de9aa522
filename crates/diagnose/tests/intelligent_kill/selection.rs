//! Tests of session selection, group ranking and kill victims.

use std::collections::BTreeSet;

use clew_diagnose::{IntelligentKillPlan, ProtectedAccounts, RankingStrategy as Ranking, is_internal_session};
use clew_model::{Session, SlowSessionThreshold};
use proptest::prelude::*;

fn session(id: u64, command: &str, seconds: u64, statement: &str) -> Session {
    Session {
        id,
        user: b"app".to_vec(),
        command: command.into(),
        seconds,
        statement: Some(statement.into()),
        ..Session::default()
    }
}

fn threshold(seconds: i64) -> SlowSessionThreshold {
    SlowSessionThreshold::new(seconds).unwrap()
}

/// Ranking, template and session ids of each entry.
fn entries(plan: &IntelligentKillPlan) -> Vec<(&'static str, String, Vec<u64>)> {
    let text = |template: &[u8]| String::from_utf8(template.to_vec()).unwrap();
    plan.ranked_session_groups()
        .map(|(ranking, group)| {
            let ids = group.sessions.iter().map(|session| session.id).collect();
            (ranking.name(), text(&group.template), ids)
        })
        .collect()
}

#[test]
fn only_user_sessions_above_the_threshold_qualify() {
    let with_change = |change: fn(&mut Session)| {
        let mut session = session(1, "Query", 10, "SELECT 1");
        change(&mut session);
        session
    };
    for (session, qualifies) in [
        (with_change(|_| {}), true),
        (with_change(|session| session.command = b"Execute".to_vec()), true),
        (with_change(|session| session.command = b"execute".to_vec()), true),
        (with_change(|session| session.seconds = 9), false),
        (with_change(|session| session.command = b"Sleep".to_vec()), false),
        (with_change(|session| session.command = b"Killed".to_vec()), false),
        (with_change(|session| session.command = b"Connect".to_vec()), false),
        (with_change(|session| session.command = b"Binlog Dump".to_vec()), false),
        (with_change(|session| session.user = b"system user".to_vec()), false),
        (with_change(|session| session.user = b"event_scheduler".to_vec()), true),
        (with_change(|session| session.user = b"rdsadmin".to_vec()), false),
        (with_change(|session| session.user = b"billing".to_vec()), false),
        (with_change(|session| session.statement = None), false),
        (with_change(|session| session.statement = Some(Vec::new())), false),
    ] {
        let protected = ProtectedAccounts::default().with_accounts(["billing"]);
        let plan = IntelligentKillPlan::from_sessions(vec![session.clone()], threshold(10), &protected);
        assert_eq!(plan.ranked_session_groups().count(), if qualifies { 3 } else { 0 }, "{session:?}");
        assert_eq!(plan.into_selected_sessions().len(), usize::from(qualifies), "{session:?}");
    }
}

#[test]
fn each_ranking_selects_its_three_best_groups() {
    // By longest session: a (100), b (90), c (80). By count: d (5), e (4), f (3). By mean: a (100), b (90), g (70).
    let mut all = vec![
        session(1, "Query", 100, "SELECT 1 FROM a"),
        session(2, "Query", 90, "SELECT 1 FROM b"),
        session(3, "Query", 80, "SELECT 1 FROM c"),
        session(4, "Query", 10, "SELECT 2 FROM c"),
        session(70, "Query", 70, "SELECT 1 FROM g"),
        session(60, "Query", 60, "SELECT 1 FROM h"),
    ];
    for (first, count, table) in [(10, 5, "d"), (20, 4, "e"), (30, 3, "f")] {
        all.extend((first..first + count).map(|id| session(id, "Query", 11, &format!("SELECT {id} FROM {table}"))));
    }
    all.reverse();
    let plan = IntelligentKillPlan::from_sessions(all, threshold(10), &ProtectedAccounts::default());
    let expected = [
        ("top3_time", "a", vec![1]),
        ("top3_time", "b", vec![2]),
        ("top3_time", "c", vec![3, 4]),
        ("top3_count", "d", (10..15).collect()),
        ("top3_count", "e", (20..24).collect()),
        ("top3_count", "f", (30..33).collect()),
        ("top3_avg_time", "a", vec![1]),
        ("top3_avg_time", "b", vec![2]),
        ("top3_avg_time", "g", vec![70]),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(ranking, table, ids)| (ranking, format!("SELECT ? FROM {table}"), ids)).collect();
    assert_eq!(entries(&plan), expected);
    let (_, c) = plan.ranked_session_groups().nth(2).unwrap();
    assert_eq!((c.session_count(), c.total_statement_seconds(), c.longest_statement_seconds()), (2, 90, 80));
    let ids: Vec<u64> = plan.into_selected_sessions().iter().map(|session| session.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 30, 31, 32, 70], "h is in no ranking");
}

#[test]
fn equal_groups_are_ordered_by_total_time_then_template() {
    let all = vec![
        session(1, "Query", 20, "SELECT 1 FROM d"),
        session(2, "Query", 20, "SELECT 1 FROM c"),
        session(3, "Query", 20, "SELECT 1 FROM b"),
        session(4, "Query", 20, "SELECT 1 FROM a"),
        session(5, "Query", 15, "SELECT 2 FROM d"),
    ];
    let plan = IntelligentKillPlan::from_sessions(all, threshold(10), &ProtectedAccounts::default());
    let tables: Vec<_> =
        entries(&plan).into_iter().map(|(ranking, template, _)| (ranking, template[14..].to_owned())).collect();
    let of =
        |ranking: Ranking| tables.iter().filter(move |(name, _)| *name == ranking.name()).map(|(_, table)| &**table);
    assert_eq!(of(Ranking::Time).collect::<Vec<_>>(), ["d", "a", "b"]);
    assert_eq!(of(Ranking::Count).collect::<Vec<_>>(), ["d", "a", "b"]);
    assert_eq!(of(Ranking::AverageTime).collect::<Vec<_>>(), ["a", "b", "c"]);
}

fn sessions() -> impl Strategy<Value = Vec<Session>> {
    let user =
        proptest::sample::select(vec!["app", "root", "rdsadmin", "billing", "system user", "event_scheduler", ""]);
    let commands = vec!["Query", "Execute", "Sleep", "Killed", "Connect", "Binlog Dump GTID", "Daemon", "Slave_SQL"];
    let statement = proptest::option::of("(select|update|set) [a-f]( = [0-9]{1,3})?");
    let one = (user, proptest::sample::select(commands), 0_u64..30, statement);
    proptest::collection::vec(one, 0..60).prop_map(|all| {
        let session = |(id, (user, command, seconds, statement)): (usize, (&str, &str, u64, Option<String>))| Session {
            id: id as u64,
            user: user.into(),
            command: command.into(),
            seconds,
            statement: statement.map(String::into_bytes),
            ..Session::default()
        };
        all.into_iter().enumerate().map(session).collect()
    })
}

proptest! {
    #[test]
    fn victims_match_the_preview_and_exclude_protected_sessions(all in sessions(), seconds in 1_i64..30) {
        let protected = ProtectedAccounts::default().with_accounts(["billing"]);
        let plan = IntelligentKillPlan::from_sessions(all.clone(), threshold(seconds), &protected);
        let shown: BTreeSet<u64> =
            plan.ranked_session_groups().flat_map(|(_, group)| group.sessions.iter().map(|session| session.id)).collect();
        for ranking in Ranking::ALL {
            prop_assert!(plan.ranked_session_groups().filter(|(strategy, _)| *strategy == ranking).count() <= 3);
        }
        let victims = plan.clone().into_selected_sessions();
        prop_assert!(victims.windows(2).all(|two| two[0].id < two[1].id), "each once");
        prop_assert_eq!(victims.iter().map(|session| session.id).collect::<BTreeSet<_>>(), shown);
        for victim in &victims {
            prop_assert!(!is_internal_session(victim) && !protected.is_protected(&victim.user), "{:?}", victim);
            prop_assert!(victim.seconds >= seconds.unsigned_abs() && victim.statement.is_some(), "{:?}", victim);
            prop_assert!([&b"Query"[..], b"Execute"].contains(&&*victim.command), "{:?}", victim);
        }
        // The order of the server's list has no influence.
        let reversed = all.into_iter().rev().collect();
        prop_assert_eq!(IntelligentKillPlan::from_sessions(reversed, threshold(seconds), &protected), plan);
    }
}
