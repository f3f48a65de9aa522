//! Servers that show all they can: every wait, every blocker and the right root, and who is freed when Clew kills that.

use std::fmt::Write;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_diagnose::waits::{Party, WaitGraph, graph};
use clew_mysql::{KillKind, KillOutcome, Limits, Victim, find_sessions, kill};
use clew_testkit::{BuiltScenario, Flavor, Scenario, Server, ServerOptions};

use super::truth::{Names, expected_roots, expected_waits, observe};

/// For those who are freed to get their answers.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that shows all it can: metadata locks as they were asked for, and on MariaDB, by its plugin, as they are now; the
/// latest statements. MySQL does so by default.
pub(crate) async fn telling(flavor: Flavor) -> Server {
    let mut arguments = vec!["--innodb-flush-method=nosync".to_owned()];
    arguments.extend(Scenario::SERVER_ARGUMENTS.map(str::to_owned));
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

/// Builds every scenario in turn, and names all that went wrong.
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

/// The graph is what was built, and ending its first root frees whom it said.
async fn hold(scenario: &Scenario, server: &Server) -> Result<(), String> {
    let mut built = scenario.build(server).await.map_err(|error| error.to_string())?;
    let observed = observe(server).await;
    let graph = graph(&observed);
    let held = compare(scenario, &graph, &Names::of(&built)).map_err(|fault| format!("{fault}\n{observed:#?}"));
    let held = match held {
        Ok(()) => end_roots(scenario, &graph, &mut built, server).await,
        fault => fault,
    };
    built.clear(server).await.map_err(|error| error.to_string())?;
    held
}

fn compare(scenario: &Scenario, graph: &WaitGraph, names: &Names) -> Result<(), String> {
    let found = (names.waits(graph), names.roots(graph));
    let expected = (expected_waits(scenario), expected_roots(scenario));
    let nothing_else = graph.unexplained.is_empty() && graph.limitations.is_empty() && graph.vanished.is_empty();
    if found == expected && nothing_else {
        return Ok(());
    }
    Err(format!("found {found:?}\nexpected {expected:?}\n{graph:#?}"))
}

/// Ends its first root; where that leaves what it held to another, that one too. Whoever is not killed is what the scenario says
/// cannot be.
async fn end_roots(
    scenario: &Scenario,
    graph: &WaitGraph,
    built: &mut BuiltScenario,
    server: &Server,
) -> Result<(), String> {
    let mut killed = true;
    if let Some(left) = scenario.left {
        killed &= end(graph, graph.roots[0].parties[0], server).await?;
        let graph = clew_diagnose::waits::graph(&observe(server).await);
        let roots = Names::of(built).roots(&graph);
        if roots != [[left]] {
            return Err(format!("{roots:?} are the roots when the first was ended, not {left}"));
        }
        killed &= end_first_root(&graph, built, server).await?;
    } else {
        killed &= end_first_root(graph, built, server).await?;
    }
    match (killed, scenario.not_killed) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(why)) => Err(format!("every root was killed, though {why}")),
        (false, None) => Err("a root could not be killed, and the scenario does not say why".to_owned()),
    }
}

/// Whom the graph says that it frees has what it waited for; who hangs on another root still waits. Gives whether it was killed.
async fn end_first_root(graph: &WaitGraph, built: &mut BuiltScenario, server: &Server) -> Result<bool, String> {
    let names = Names::of(built);
    let root = &graph.roots[0];
    let victim = root.parties[0];
    let waits_for_it_alone = |party: Party| graph.roots_of(party) == [root] && party != victim;
    let (freed, others): (Vec<Party>, Vec<Party>) = graph
        .parties
        .iter()
        .map(|facts| facts.party)
        .filter(|&party| !graph.waits_of(party).is_empty() && party != victim)
        .partition(|&party| waits_for_it_alone(party));
    if freed.len() != root.frees {
        return Err(format!("{freed:?} are not as many as the root frees: {root:?}"));
    }
    let killed = end(graph, victim, server).await?;
    let freed: Vec<String> = freed.into_iter().map(|party| names.name(party)).collect();
    let stuck = built.finish(&freed.iter().map(String::as_str).collect::<Vec<_>>(), LIMIT).await;
    if !stuck.is_empty() {
        return Err(format!("not freed by the end of {}: {stuck:?}", names.name(victim)));
    }
    let after = clew_diagnose::waits::graph(&observe(server).await);
    match others.iter().find(|&&party| after.waits_of(party).is_empty()) {
        Some(&party) => Err(format!("{} waits no more, and hung on another root too", names.name(party))),
        None => Ok(killed),
    }
}

/// As a person would: a session is killed by Clew, a transaction without one rolled back by its name. Gives whether it was killed.
async fn end(graph: &WaitGraph, victim: Party, server: &Server) -> Result<bool, String> {
    let facts = graph.facts(victim).ok_or("nothing is known of the root")?;
    if let Party::Transaction(_) = victim {
        let xid = facts.transaction.as_ref().and_then(|facts| facts.xid.as_deref());
        let statement = format!("XA ROLLBACK {}", xid.unwrap_or("no name"));
        return server.run(&[&statement]).await.map(|()| false).map_err(|error| format!("{statement}: {error}"));
    }
    let session = facts.session.as_ref().ok_or("the root's session was not seen")?;
    let (node, protected) = (server.url().parse().unwrap(), ProtectedAccounts::default());
    let read = find_sessions(&node, &[], &Limits::default()).await.map_err(|failure| failure.to_string())?.read;
    let meant = Victim::connection_of(session, &read);
    match kill(&node, &meant, KillKind::Connection, &protected, &Limits::default()).await {
        Ok(outcome @ (KillOutcome::Refused(_) | KillOutcome::AlreadyGone)) => Err(format!("{session:?}: {outcome}")),
        Ok(_) => Ok(true),
        Err(failure) => Err(failure.to_string()),
    }
}

#[tokio::test]
async fn the_graph_is_the_truth_on_mysql() {
    the_graph_is_the_truth(Flavor::MySql).await;
}

#[tokio::test]
async fn the_graph_is_the_truth_on_mariadb() {
    the_graph_is_the_truth(Flavor::MariaDb).await;
}
