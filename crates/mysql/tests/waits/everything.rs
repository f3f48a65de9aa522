//! Servers that show all they can: every wait, every blocker and the right root, and who is freed when that is killed.

use std::fmt::Write;

use clew_testkit::{Flavor, Scenario, Server, ServerOptions};

use super::truth::{Names, expected_waits, observe};
use clew_diagnose::waits::graph;

/// A server that shows all it can: metadata locks as they were asked for, and on MariaDB, by its plugin, as they are now; the
/// latest statements. MySQL does so by default.
async fn telling(flavor: Flavor) -> Server {
    let mut arguments = vec!["--innodb-flush-method=nosync".to_owned()];
    if flavor == Flavor::MariaDb {
        arguments.extend([
            "--performance-schema=ON".to_owned(),
            "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON".to_owned(),
            "--performance-schema-consumer-events-statements-current=ON".to_owned(),
            "--performance-schema-consumer-events-statements-history=ON".to_owned(),
            "--plugin-load-add=metadata_lock_info".to_owned(),
        ]);
    }
    Server::start(flavor, &ServerOptions { arguments, max_connections: 700 }).await.unwrap()
}

/// Runs every scenario, and names all that went wrong.
async fn the_graph_is_the_truth(flavor: Flavor) {
    let server = telling(flavor).await;
    let mut faults = String::new();
    for scenario in Scenario::all(flavor) {
        if let Err(fault) = hold(&scenario, &server).await {
            writeln!(faults, "--- {} on {flavor}: {fault}", scenario.name).unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

async fn hold(scenario: &Scenario, server: &Server) -> Result<(), String> {
    let built = scenario.build(server).await.map_err(|error| error.to_string())?;
    let observed = observe(server).await;
    let graph = graph(&observed);
    let names = Names::of(&built);
    let found = (names.waits(&graph), names.roots(&graph));
    let mut roots: Vec<Vec<String>> = Vec::new();
    for mut root in scenario.roots().into_iter().map(|root| root.into_iter().map(str::to_owned).collect::<Vec<_>>()) {
        root.sort();
        roots.push(root);
    }
    let expected = (expected_waits(scenario), roots);
    built.clear(server).await.map_err(|error| error.to_string())?;
    if found != expected || !graph.unexplained.is_empty() || !graph.limitations.is_empty() || !graph.vanished.is_empty()
    {
        return Err(format!("found {found:?}\nexpected {expected:?}\n{graph:#?}\n{:#?}", observed.metadata_locks));
    }
    Ok(())
}

#[tokio::test]
async fn the_graph_is_the_truth_on_mysql() {
    the_graph_is_the_truth(Flavor::MySql).await;
}

#[tokio::test]
async fn the_graph_is_the_truth_on_mariadb() {
    the_graph_is_the_truth(Flavor::MariaDb).await;
}
