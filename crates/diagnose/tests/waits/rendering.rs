//! Text tree and Graphviz output.

use std::collections::BTreeMap;

use clew_diagnose::lock_waits::{
    LockSnapshot, TreeLayout, TreeLine, TreeLineKind, WaitGraph, WaitParticipant, build_wait_graph,
    render_graphviz_dot, render_tree,
};
use proptest::prelude::*;

use crate::builder::{ObservedBuilder, observed};

const METADATA_WAIT: &str = "Waiting for table metadata lock";

fn join_lines(lines: &[TreeLine]) -> String {
    lines.iter().map(|line| line.text.clone() + "\n").collect()
}

fn incident() -> LockSnapshot {
    let mut locks = observed()
        .session(1, "Sleep", "", 910, "")
        .session(
            2,
            "Query",
            METADATA_WAIT,
            605,
            "alter table orders\n  add column note varchar(200) not null default '' after customer_id",
        )
        .transaction(101, 1, "RUNNING")
        .granted_lock(1, "TABLE", "shop.orders", "SHARED_WRITE")
        .granted_lock(2, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
        .pending_lock(2, "TABLE", "shop.orders", "EXCLUSIVE");
    for id in 3..=20 {
        locks = locks.session(id, "Query", METADATA_WAIT, 100 - id, "select 1 from orders").pending_lock(
            id,
            "TABLE",
            "shop.orders",
            "SHARED_READ",
        );
    }
    locks = locks
        .session(30, "Query", "updating", 12, "update items set price = price * 2")
        .transaction(130, 30, "LOCK WAIT")
        .row_wait(130, 103)
        .transaction(103, 3, "RUNNING")
        .row_wait(130, 131)
        .transaction(131, 0, "RUNNING");
    locks.transactions[0].transaction.rows_modified = 3;
    locks
}

fn build_graph_with_last_statement(locks: &LockSnapshot, statement: &[u8]) -> WaitGraph {
    let mut graph = build_wait_graph(locks);
    graph.set_last_statements(&BTreeMap::from([(1, vec![statement.to_vec()])]));
    graph
}

#[test]
fn incident_is_rendered_in_80_columns() {
    let graph = build_graph_with_last_statement(&incident(), b"update orders set a = 1");
    let lines = render_tree(&graph, TreeLayout { siblings: 2, ..TreeLayout::default() });
    assert_eq!(
        join_lines(&lines),
        "\
1. session 1, app@10.0.0.1, idle for 15 min 10 s    blocks 20, unblocks up to 19
   transaction 101, open for 0 s, 1 row locked, 3 changed
   ran: update orders set a = 1
   └─ session 2, app@10.0.0.2, waits 10 min 5 s
      │  for definition of shop.orders: EXCLUSIVE against SHARED_WRITE
      │  alter table orders add column note varchar(200) not null default '' af…
      ├─ session 3, app@10.0.0.3, waits 1 min 37 s
      │  │  for definition of shop.orders: SHARED_READ behind EXCLUSIVE
      │  │  select 1 from orders
      │  └─ session 30, app@10.0.0.30, waits 10 s
      │        for row 42 of shop.orders (PRIMARY): X,REC_NOT_GAP
      │        update items set price = price * 2
      ├─ session 4, app@10.0.0.4, waits 1 min 36 s
      │     for definition of shop.orders: SHARED_READ behind EXCLUSIVE
      │     select 1 from orders
      └─ 16 more wait for session 2, up to 1 min 35 s
2. transaction 131 without a session                  blocks 1, unblocks up to 0
   open for 0 s, 1 row locked, 0 changed
   blocks 1 more, shown above
"
    );
    assert!(lines.iter().all(|line| line.text.chars().count() <= 80));
    assert_eq!(lines[0].kind, TreeLineKind::Root);
    assert_eq!(lines[3].party, Some(WaitParticipant::Session(2)));
}

#[test]
fn graph_without_waits_renders_no_lines() {
    assert!(render_tree(&build_wait_graph(&observed()), TreeLayout::default()).is_empty());
}

#[test]
fn cycle_is_rendered_as_a_heading_with_members() {
    let lines = render_tree(
        &build_wait_graph(
            &observed()
                .transaction(101, 1, "LOCK WAIT")
                .transaction(102, 2, "LOCK WAIT")
                .row_wait(101, 102)
                .row_wait(102, 101),
        ),
        TreeLayout::default(),
    );
    assert_eq!(
        join_lines(&lines),
        "\
1. cycle of 2 parties that wait for each other        blocks 1, unblocks up to 1
   ├─ session 1, not listed by the server, waits 41 s
   │     for row 42 of shop.orders (PRIMARY): X,REC_NOT_GAP
   └─ session 2, not listed by the server, waits 42 s
         for row 42 of shop.orders (PRIMARY): X,REC_NOT_GAP
"
    );
}

#[test]
fn control_characters_are_removed_from_the_tree() {
    let mut locks = observed()
        .transaction(101, 1, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 101)
        .session(2, "Query", "updating", 1, "");
    locks.sessions[0].session.statement = Some("select\n\x1b[2J\u{202e}'\x07' 会话".repeat(99).into_bytes());
    locks.sessions[0].session.user = b"a\x1b]0;x\x07".to_vec();
    locks.row_waits[0].on.data = Some("1,\x1b[31m".into());
    for line in render_tree(&build_wait_graph(&locks), TreeLayout::default()) {
        assert!(line.text.chars().all(|char| !char.is_control() && char != '\u{202e}'), "{line:?}");
    }
    assert!(!render_graphviz_dot(&build_wait_graph(&locks)).contains('\x1b'));
}

#[test]
fn long_chain_is_rendered() {
    let mut locks = observed();
    for id in 1..=20_000 {
        locks = locks.transaction(200_000 + id, id, "RUNNING");
        if id > 1 {
            locks = locks.row_wait(200_000 + id, 200_000 + id - 1);
        }
    }
    let lines = render_tree(&build_wait_graph(&locks), TreeLayout::default());
    assert_eq!(lines.iter().filter(|line| line.kind == TreeLineKind::Waiter).count(), 19_999);
    assert!(lines.iter().all(|line| line.text.chars().count() <= 80));
    assert!(lines.iter().any(|line| line.text.contains("500 deep: session 501")));
}

#[test]
fn roots_beyond_the_limit_are_counted() {
    let mut locks = observed().pending_lock(1, "TABLE", "shop.orders", "EXCLUSIVE");
    for id in 2..=31 {
        locks = locks.granted_lock(id, "TABLE", "shop.orders", "SHARED_READ");
    }
    let lines = render_tree(&build_wait_graph(&locks), TreeLayout::default());
    assert_eq!(lines.iter().filter(|line| line.kind == TreeLineKind::Root).count(), 10);
    assert_eq!(lines.last().unwrap().text, "20 more root blockers; maximum number of waiters: 1");
    assert!(join_lines(&lines).contains("\n   blocks 1 more, shown above\n"));
}

#[test]
fn dot_labels_are_escaped() {
    let mut locks = observed()
        .session(1, "Sleep", "", 9, "")
        .session(2, "Query", "updating", 9, r#"update "t" set a = '\'"#)
        .transaction(101, 1, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 101);
    locks.row_waits[0].on.data = Some("'a\"b'".into());
    assert_eq!(
        render_graphviz_dot(&build_wait_graph(&locks)),
        r#"digraph waits {
  rankdir=LR;
  node [shape=box];
  session_1 [label="session 1, app@10.0.0.1, idle for 9 s", style=bold];
  session_2 [label="session 2, app@10.0.0.2, Query 9 s\nupdate \"t\" set a = '\\'"];
  session_2 -> session_1 [label="row 'a\"b' of shop.orders (PRIMARY): X,REC_NOT_GAP"];
}
"#
    );
}

#[test]
fn masked_graph_has_no_literals() {
    let mut locks = incident()
        .session(40, "Query", "User lock", 9, "select get_lock('secret-name', 9)")
        .granted_lock(1, "USER LEVEL LOCK", ".secret-name", "EXCLUSIVE")
        .pending_lock(40, "USER LEVEL LOCK", ".secret-name", "EXCLUSIVE");
    locks.row_waits[0].on.data = Some("'secret-row'".into());
    locks.sessions[2].session.statement = Some(b"select 'secret-text' from orders".to_vec());
    let graph = build_graph_with_last_statement(&locks, b"update orders set a = 'secret-last'");
    let masked = graph.clone().with_masked_literals();
    assert!(serde_json::to_string(&graph).unwrap().matches("secret-").count() >= 4);
    assert!(!serde_json::to_string(&masked).unwrap().contains("secret-"));
    assert_eq!(graph.roots, masked.roots);
    assert_eq!(graph.waits.len(), masked.waits.len());
}

proptest! {
    /// The tree contains each waiter once and, without limits, every waiter.
    #[test]
    fn every_waiter_is_rendered_once(edges in proptest::collection::vec((1..9_u64, 1..9_u64), 0..20), width in 20..120_usize) {
        let mut locks = observed();
        for id in 1..9 {
            locks = locks.transaction(100 + id, id, "RUNNING");
        }
        let locks = edges.into_iter().fold(locks, |locks, (waiting, blocking)| locks.row_wait(100 + waiting, 100 + blocking));
        let graph = build_wait_graph(&locks);
        let lines = render_tree(&graph, TreeLayout { width, roots: 100, siblings: 100 });
        let mut drawn: Vec<WaitParticipant> =
            lines.iter().filter(|line| line.kind == TreeLineKind::Waiter).filter_map(|line| line.party).collect();
        drawn.sort_unstable();
        let mut waiters: Vec<WaitParticipant> = graph.waits.iter().map(|wait| wait.waiter).collect();
        waiters.dedup();
        prop_assert_eq!(drawn, waiters);
        prop_assert!(lines.iter().all(|line| line.text.chars().count() <= width));
    }
}
