//! Scenarios with complex wait graphs: chains, blockers with many waiters, cycles and transactions without a session.

use super::{LockWaitScenario, MARIADB_ONLY, MYSQL_ONLY};
use crate::flavor::Flavor;

const LOCK_WAIT_CHAIN_LENGTH: usize = 10;
const WAITER_COUNT_FOR_SINGLE_BLOCKER: usize = 500;

pub(super) fn wait_graph_scenarios() -> Vec<LockWaitScenario> {
    vec![
        LockWaitScenario::new(
            "two readers in the way of one writer",
            "a: BEGIN\na: SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE\n\
             b: BEGIN\nb: UPDATE s SET v = 1 WHERE id = 1\nb: SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE\n\
             c? UPDATE t SET v = 2 WHERE id = 1",
            "row",
        )
        .with_expected_waits("c>a c>b", "a b"),
        LockWaitScenario::new(
            "a waiter that is in the way of others",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\n\
             b: BEGIN\nb: UPDATE t SET v = 1 WHERE id = 5\nb? UPDATE t SET v = 1 WHERE id = 1\n\
             c? UPDATE t SET v = 1 WHERE id = 5",
            "row",
        )
        .with_expected_waits("b>a c>b", "a"),
        LockWaitScenario::new(
            "a queue for a row",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\n\
             b? UPDATE t SET v = 2 WHERE id = 1\nc? UPDATE t SET v = 3 WHERE id = 1",
            "row",
        )
        .with_expected_waits("b>a c>a c>b", "a"),
        lock_wait_chain_scenario(),
        many_waiters_scenario(),
        LockWaitScenario::new(
            "a circle of a row and a name",
            "a: SELECT GET_LOCK('nightly', 1)\nb: BEGIN\nb: UPDATE t SET v = 1 WHERE id = 1\n\
             a? UPDATE t SET v = 2 WHERE id = 1\nb? SELECT GET_LOCK('nightly', 600)",
            "row",
        )
        .with_expected_waits("a>b b>a", "a+b")
        .with_expected_locked_resource("b", "user lock"),
        LockWaitScenario::new(
            "a circle of a row and definitions, and one behind it",
            "a: BEGIN\na: SELECT * FROM s\nb: BEGIN\nb: UPDATE t SET v = 1 WHERE id = 1\n\
             c? ALTER TABLE s ADD x INT\nb? SELECT * FROM s\na? UPDATE t SET v = 2 WHERE id = 1\n\
             d? SELECT * FROM s",
            "table metadata",
        )
        .with_expected_waits("a>b b>c c>a d>c", "a+b+c")
        .with_expected_locked_resource("a", "row"),
    ]
    .into_iter()
    .chain(prepared_transaction_scenarios())
    .collect()
}

/// MySQL detaches an XA transaction from its session at `XA PREPARE`; MariaDB detaches the transaction when the session ends.
fn prepared_transaction_scenarios() -> [LockWaitScenario; 7] {
    const XA_PREPARE_STEPS: &str =
        "a: XA START 'g1'\na: UPDATE t SET v = 1 WHERE id = 1\na: XA END 'g1'\na: XA PREPARE 'g1'\n";
    let row = |flavors, name, then: &str, waits: &str, root| {
        let update = "b? UPDATE t SET v = 2 WHERE id = 1";
        LockWaitScenario::new(name, format!("{XA_PREPARE_STEPS}{then}{update}"), "row")
            .with_flavors(flavors)
            .with_expected_waits(waits, root)
    };
    let alter = |flavors, on| {
        let script = format!("{XA_PREPARE_STEPS}a!\nb? ALTER TABLE t ADD x INT");
        LockWaitScenario::new("ALTER TABLE behind a prepared transaction", script, on)
            .with_flavors(flavors)
            .with_expected_waits("b>xa", "xa")
    };
    let alter_beside = |flavors, waits: &str, root| {
        let name = "ALTER TABLE behind a prepared transaction whose session is there";
        let script = format!("{XA_PREPARE_STEPS}b? ALTER TABLE t ADD x INT");
        LockWaitScenario::new(name, script, "table metadata").with_flavors(flavors).with_expected_waits(waits, root)
    };
    [
        row(&Flavor::ALL, "a row of a prepared transaction whose session is gone", "a!\n", "b>xa", "xa"),
        row(MYSQL_ONLY, "a row of a prepared transaction whose session is there", "", "b>xa", "xa"),
        row(MARIADB_ONLY, "a row of a prepared transaction whose session is there", "", "b>a", "a")
            .with_expected_root_blocker_after_kill("xa"),
        alter(MYSQL_ONLY, "table metadata"),
        // Ending the session releases the metadata lock but not InnoDB's table lock.
        alter(MARIADB_ONLY, "table lock of InnoDB"),
        alter_beside(MYSQL_ONLY, "b>xa", "xa"),
        alter_beside(MARIADB_ONLY, "b>a", "a").with_expected_root_blocker_after_kill("xa"),
    ]
    .map(|scenario| {
        scenario.with_expected_unkillable_reason(
            "no session has a transaction that is prepared: it is rolled back by its name",
        )
    })
}

fn lock_wait_chain_scenario() -> LockWaitScenario {
    let enter = |link| format!("s{link}: BEGIN\ns{link}: INSERT INTO s VALUES ({}, 1)\n", 100 + link);
    let wait = |link| format!("s{link}? UPDATE s SET v = 2 WHERE id = {}\n", 99 + link);
    let links = (1..LOCK_WAIT_CHAIN_LENGTH).map(|link| enter(link) + &wait(link));
    let script = enter(0) + &links.collect::<String>();
    let waits: Vec<String> = (1..LOCK_WAIT_CHAIN_LENGTH).map(|link| format!("s{link}>s{}", link - 1)).collect();
    LockWaitScenario::new("a chain of ten", script, "row").with_expected_waits(waits.join(" "), "s0")
}

fn many_waiters_scenario() -> LockWaitScenario {
    let wait = |waiter| format!("w{waiter}+ SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE\n");
    let script = "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\n".to_owned();
    let waits: Vec<String> = (0..WAITER_COUNT_FOR_SINGLE_BLOCKER).map(|waiter| format!("w{waiter}>a")).collect();
    LockWaitScenario::new(
        "a fan of five hundred",
        script + &(0..WAITER_COUNT_FOR_SINGLE_BLOCKER).map(wait).collect::<String>(),
        "row",
    )
    .with_expected_waits(waits.join(" "), "a")
}
