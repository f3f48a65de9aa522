//! Servers with full instrumentation: the graph has every wait and the right root blockers, and kills free waiters.

use std::fmt::Write;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_mysql::{KillOptions, KillOutcome, KillTarget, Victim, find_sessions_by_id, kill_single_victim};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, LockWaitScenario, RunningScenario};
use rstest::rstest;

use super::oracle::{Names, expected_roots, expected_waits, observe};

use super::connector;

/// Time limit for freed waiters to continue.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts a server with full instrumentation: metadata locks, statement history, and the plugin on MariaDB.
/// MySQL has all by default.
pub(crate) async fn full_visibility_server(flavor: Flavor) -> DatabaseServer {
    let mut arguments = vec!["--innodb-flush-method=nosync".to_owned()];
    arguments.extend(LockWaitScenario::REQUIRED_SERVER_ARGUMENTS.map(str::to_owned));
    if flavor == Flavor::MariaDb {
        arguments.extend([
            "--performance-schema=ON".to_owned(),
            "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON".to_owned(),
            "--performance-schema-consumer-events-statements-current=ON".to_owned(),
            "--performance-schema-consumer-events-statements-history=ON".to_owned(),
            "--plugin-load-add=metadata_lock_info".to_owned(),
        ]);
    }
    DatabaseServer::start(flavor, &DatabaseServerOptions { arguments, max_connections: 700 }).await.unwrap()
}

/// Builds every scenario in turn and collects all failures.
#[rstest]
#[tokio::test]
async fn graph_matches_every_scenario(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = full_visibility_server(flavor).await;
    let mut faults = String::new();
    for scenario in LockWaitScenario::scenarios_for_flavor(flavor) {
        if let Err(fault) = check_scenario(&scenario, &server).await {
            writeln!(faults, "--- {} on {flavor}: {fault}", scenario.name).unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// Checks that the graph matches the scenario, and that killing the first root frees the predicted waiters.
async fn check_scenario(scenario: &LockWaitScenario, server: &DatabaseServer) -> Result<(), String> {
    let mut built = scenario.set_up(server).await.map_err(|error| error.to_string())?;
    let graph = observe(server).await;
    let outcome = compare(scenario, &graph, &Names::of(&built)).map_err(|fault| format!("{fault}\n{graph:#?}"));
    let outcome = match outcome {
        Ok(()) => kill_roots(scenario, &graph, &mut built, server).await,
        fault => fault,
    };
    built.tear_down(server).await.map_err(|error| error.to_string())?;
    outcome
}

fn compare(scenario: &LockWaitScenario, graph: &WaitGraph, names: &Names) -> Result<(), String> {
    let found = (names.waits(graph), names.roots(graph));
    let expected = (expected_waits(scenario), expected_roots(scenario));
    let nothing_else = graph.unexplained.is_empty() && graph.limitations.is_empty() && graph.vanished.is_empty();
    if found == expected && nothing_else {
        return Ok(());
    }
    Err(format!("found {found:?}\nexpected {expected:?}\n{graph:#?}"))
}

/// Kills the first root blocker, and its successor if the scenario has one.
/// A root may survive only if the scenario has a reason.
async fn kill_roots(
    scenario: &LockWaitScenario,
    graph: &WaitGraph,
    built: &mut RunningScenario,
    server: &DatabaseServer,
) -> Result<(), String> {
    let mut killed = true;
    if let Some(left) = scenario.root_after_kill {
        killed &= kill_party(graph, graph.roots[0].parties[0], server).await?;
        let graph = observe(server).await;
        let roots = Names::of(built).roots(&graph);
        if roots != [[left]] {
            return Err(format!("{roots:?} are the roots after the first was killed, not {left}"));
        }
        killed &= kill_first_root(&graph, built, server).await?;
    } else {
        killed &= kill_first_root(graph, built, server).await?;
    }
    match (killed, scenario.unkillable_reason) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(why)) => Err(format!("every root was killed, though {why}")),
        (false, None) => Err("a root could not be killed, and the scenario does not say why".to_owned()),
    }
}

/// Kills the first root blocker and checks that exactly the predicted waiters continue.
/// Returns whether it was killed.
async fn kill_first_root(
    graph: &WaitGraph,
    built: &mut RunningScenario,
    server: &DatabaseServer,
) -> Result<bool, String> {
    let names = Names::of(built);
    let root = &graph.roots[0];
    let victim = root.parties[0];
    let waits_for_it_alone = |party: WaitParticipant| graph.find_root_blockers(party) == [root] && party != victim;
    let (freed, others): (Vec<WaitParticipant>, Vec<WaitParticipant>) = graph
        .parties
        .iter()
        .map(|facts| facts.party)
        .filter(|&party| !graph.find_waits_by_waiter(party).is_empty() && party != victim)
        .partition(|&party| waits_for_it_alone(party));
    if freed.len() != root.frees {
        return Err(format!("{freed:?} are not as many as the root frees: {root:?}"));
    }
    let killed = kill_party(graph, victim, server).await?;
    let freed: Vec<String> = freed.into_iter().map(|party| names.name(party)).collect();
    let stuck =
        built.close_sessions_of_finished_waiters(&freed.iter().map(String::as_str).collect::<Vec<_>>(), LIMIT).await;
    if !stuck.is_empty() {
        return Err(format!("not freed by killing {}: {stuck:?}", names.name(victim)));
    }
    let after = observe(server).await;
    match others.iter().find(|&&party| after.find_waits_by_waiter(party).is_empty()) {
        Some(&party) => Err(format!("{} no longer waits, although another root blocks it too", names.name(party))),
        None => Ok(killed),
    }
}

/// Kills a session with Clew, or rolls back a transaction without a session by its XID.
/// Returns whether a session was killed.
async fn kill_party(graph: &WaitGraph, victim: WaitParticipant, server: &DatabaseServer) -> Result<bool, String> {
    let facts = graph.participant_detail(victim).ok_or("the graph has no facts of the root")?;
    if let WaitParticipant::Transaction(_) = victim {
        let xid = facts.transaction.as_ref().and_then(|facts| facts.xid.as_deref());
        let statement = format!("XA ROLLBACK {}", xid.unwrap_or("no name"));
        return server
            .run_statements(&[&statement])
            .await
            .map(|()| false)
            .map_err(|error| format!("{statement}: {error}"));
    }
    let session = facts.session.as_ref().ok_or("the root's session is not listed")?;
    let (node, protected) = (server.url().parse().unwrap(), ProtectedAccounts::default());
    let read = find_sessions_by_id(&node, &[], &connector()).await.map_err(|failure| failure.to_string())?.read;
    let session_victim = Victim::for_session(session, &read);
    match kill_single_victim(&node, &session_victim, KillOptions::new(KillTarget::Connection, &protected), &connector())
        .await
    {
        Ok(outcome @ (KillOutcome::Refused(_) | KillOutcome::AlreadyGone)) => Err(format!("{session:?}: {outcome}")),
        Ok(_) => Ok(true),
        Err(failure) => Err(failure.to_string()),
    }
}
