//! Servers with partial instrumentation: the graph has no wrong wait, and unexplained waits have a reason.

use std::collections::BTreeSet;
use std::fmt::Write;

use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_model::LimitationKind;
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, LockWaitScenario};

use super::oracle::{Names, expected_waits, observe};

/// Builds every scenario on a server with partial instrumentation.
/// The graph is correct and complete for each explained waiter.
/// Every other waiter is unexplained, with the setting that would explain it.
/// Returns the names of the scenarios that are not fully explained.
async fn partly_explained(flavor: Flavor, arguments: &[&str], gap: LimitationKind, remedy: &str) -> Vec<String> {
    let always = ["--innodb-flush-method=nosync"].into_iter().chain(LockWaitScenario::REQUIRED_SERVER_ARGUMENTS);
    let arguments = always.chain(arguments.iter().copied()).map(str::to_owned).collect();
    let server =
        DatabaseServer::start(flavor, &DatabaseServerOptions { arguments, max_connections: 700 }).await.unwrap();
    let (mut faults, mut partly) = (String::new(), Vec::new());
    for scenario in LockWaitScenario::scenarios_for_flavor(flavor) {
        let built = scenario.set_up(&server).await.unwrap();
        let graph = observe(&server).await;
        let fault = fault(&scenario, &graph, &Names::of(&built), remedy);
        if let Some(fault) = fault {
            writeln!(faults, "--- {} on {flavor}: {fault}\n{graph:#?}", scenario.name).unwrap();
        }
        if !graph.unexplained.is_empty() {
            partly.push(scenario.name.clone());
            if !graph.limitations.iter().any(|limitation| limitation.kind == gap) {
                writeln!(faults, "--- {} on {flavor}: no {gap:?}\n{graph:#?}", scenario.name).unwrap();
            }
        }
        built.tear_down(&server).await.unwrap();
    }
    assert!(faults.is_empty(), "{faults}");
    partly
}

fn fault(scenario: &LockWaitScenario, graph: &WaitGraph, names: &Names, remedy: &str) -> Option<String> {
    let of = |waiter: &str, waits: &[String]| -> Vec<String> {
        waits.iter().filter(|wait| wait.starts_with(&format!("{waiter}>"))).cloned().collect()
    };
    let (found, expected) = (names.waits(graph), expected_waits(scenario));
    if let Some(wrong) = found.iter().find(|wait| !expected.contains(wait)) {
        return Some(format!("{wrong} is no wait of the scenario"));
    }
    let waiters: BTreeSet<&str> = scenario.expected_waits().into_iter().map(|(waiter, _)| waiter).collect();
    for waiter in waiters {
        let unexplained =
            graph.unexplained.iter().find(|facts| names.name(WaitParticipant::Session(facts.session)) == waiter);
        match unexplained {
            Some(facts) if ![remedy, "read-only"].iter().any(|known| facts.why.english.contains(known)) => {
                return Some(format!("{facts:?} names no {remedy}"));
            }
            Some(_) if !of(waiter, &found).is_empty() => return Some(format!("{waiter} is explained and unexplained")),
            None if of(waiter, &found) != of(waiter, &expected) => {
                return Some(format!("{waiter} waits as {:?} too", of(waiter, &expected)));
            }
            _ => {}
        }
    }
    None
}

/// Returns the scenarios with waits for locks other than InnoDB's.
fn scenarios_beyond_innodb(flavor: Flavor) -> Vec<String> {
    let of_innodb = |waiter: &str, scenario: &LockWaitScenario| {
        ["row", "table lock of InnoDB"].contains(&scenario.expected_locked_resource(waiter))
    };
    let beyond =
        |scenario: &LockWaitScenario| scenario.expected_waits().iter().any(|(waiter, _)| !of_innodb(waiter, scenario));
    LockWaitScenario::scenarios_for_flavor(flavor).into_iter().filter(beyond).map(|scenario| scenario.name).collect()
}

/// MariaDB with Debian's default configuration.
#[tokio::test]
async fn waits_without_performance_schema_are_partly_explained_on_mariadb() {
    let partly = partly_explained(Flavor::MariaDb, &[], LimitationKind::NoPerformanceSchema, "INSTALL SONAME").await;
    let mut expected = vec!["a row that one of two readers reads".to_owned()];
    expected.extend(scenarios_beyond_innodb(Flavor::MariaDb));
    assert_eq!(partly, expected);
}

/// Pending locks, which the plugin lacks, are inferred from states and statements.
/// Statements that drop a trigger or an event do not name the awaited table.
#[tokio::test]
async fn waits_with_the_plugin_only_are_partly_explained_on_mariadb() {
    let plugin = ["--plugin-load-add=metadata_lock_info"];
    let partly =
        partly_explained(Flavor::MariaDb, &plugin, LimitationKind::NoPerformanceSchema, "performance_schema = ON");
    assert_eq!(
        partly.await,
        [
            "CREATE TRIGGER behind a DROP TRIGGER of the same name that waits",
            "ALTER EVENT behind a DROP EVENT that waits"
        ]
    );
}

/// MariaDB lists a strengthened lock in its first mode.
#[tokio::test]
async fn waits_with_performance_schema_only_are_partly_explained_on_mariadb() {
    let recording = ["--performance-schema=ON", "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"];
    let partly = partly_explained(Flavor::MariaDb, &recording, LimitationKind::NoMetadataLocks, "INSTALL SONAME").await;
    assert_eq!(
        partly,
        [
            "LOCK TABLES READ, then a writer",
            "a table that is being made",
            "BACKUP STAGE BLOCK_COMMIT, then COMMIT",
            "FLUSH TABLES WITH READ LOCK, then COMMIT"
        ]
    );
}

/// MySQL lists InnoDB lock waits only in performance_schema.
#[tokio::test]
async fn waits_without_performance_schema_are_unexplained_on_mysql() {
    let off = ["--performance-schema=OFF"];
    let partly =
        partly_explained(Flavor::MySql, &off, LimitationKind::NoPerformanceSchema, "performance_schema = ON").await;
    let all: Vec<String> =
        LockWaitScenario::scenarios_for_flavor(Flavor::MySql).into_iter().map(|scenario| scenario.name).collect();
    assert_eq!(partly, all);
}

#[tokio::test]
async fn waits_without_the_metadata_lock_instrument_are_partly_explained_on_mysql() {
    let off = ["--performance-schema-instrument=wait/lock/metadata/sql/mdl=OFF"];
    let partly = partly_explained(Flavor::MySql, &off, LimitationKind::NoMetadataLocks, "setup_instruments").await;
    assert_eq!(partly, scenarios_beyond_innodb(Flavor::MySql));
}
