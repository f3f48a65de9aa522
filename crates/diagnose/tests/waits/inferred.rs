//! MariaDB without requests: `metadata_lock_info` lists held locks only, states and statements tell the rest.

use clew_diagnose::waits::Observed;

use crate::build::{Build, expect};

const TABLE: &str = "Waiting for table metadata lock";

fn plugin() -> Observed {
    Observed::default()
}

#[test]
fn an_alter_and_the_readers_behind_it() {
    let graph = expect(
        &plugin()
            .session(1, "Sleep", "", 900, "")
            .session(2, "Query", TABLE, 60, "alter table orders add x int")
            .session(3, "Query", TABLE, 50, "select * from `shop`.`orders` where id = 1")
            .held(1, "Table metadata lock", "shop.orders", "MDL_SHARED_READ")
            .held(1, "Table metadata lock", "shop.items", "MDL_SHARED_READ")
            .held(2, "Table metadata lock", "shop.orders", "MDL_SHARED_UPGRADABLE"),
        &[(2, 1), (3, 2)],
    );
    assert!(graph.waits.iter().all(|wait| wait.inferred));
    assert!(graph.unexplained.is_empty());
}

#[test]
fn lock_tables_flush_backup_and_user_locks() {
    expect(
        &plugin().session(1, "Sleep", "", 90, "").session(2, "Query", TABLE, 9, "select * from orders").held(
            1,
            "Table metadata lock",
            "shop.orders",
            "MDL_SHARED_NO_READ_WRITE",
        ),
        &[(2, 1)],
    );
    expect(
        &plugin()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 9, "update orders set a = 1")
            .held(1, "Backup lock", "", "MDL_BACKUP_FTWRL2"),
        &[(2, 1)],
    );
    expect(
        &plugin()
            .session(1, "Sleep", "", 90, "")
            .session(4, "Sleep", "", 90, "")
            .session(2, "Query", "User lock", 9, "select get_lock('Nightly', 9)")
            .held(1, "User lock", "nightly.", "MDL_SHARED_NO_WRITE")
            .held(4, "User lock", "daily.", "MDL_SHARED_NO_WRITE"),
        &[(2, 1)],
    );
}

#[test]
fn a_name_inside_a_literal_or_another_schema_is_no_table() {
    let graph = expect(
        &plugin()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", TABLE, 9, "insert into other.orders values ('orders')")
            .held(1, "Table metadata lock", "shop.orders", "MDL_SHARED_NO_READ_WRITE"),
        &[],
    );
    assert_eq!(graph.unexplained.len(), 1);
    assert!(graph.unexplained[0].why.contains("does not list requests"));
}

/// Where requests are listed, nothing is guessed: a state may be older than the locks.
#[test]
fn nothing_is_inferred_where_requests_are_listed() {
    let mut locks = plugin()
        .session(1, "Sleep", "", 900, "")
        .session(2, "Query", TABLE, 60, "alter table orders add x int")
        .held(1, "TABLE", "shop.orders", "SHARED_READ");
    expect(&locks, &[(2, 1)]);
    locks.pending_seen = true;
    expect(&locks, &[]);
}
