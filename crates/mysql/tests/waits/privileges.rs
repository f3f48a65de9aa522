//! Waits visible to an account, and the suggested `GRANT` statements that complete the graph.

use clew_diagnose::lock_waits::WaitGraph;
use clew_model::LimitationKind;
use clew_testkit::{Flavor, LockWaitScenario};

use super::full_visibility::full_visibility_server;
use super::oracle::{Names, expected_waits, observe_as};

fn kinds(graph: &WaitGraph) -> Vec<LimitationKind> {
    graph.limitations.iter().map(|limitation| limitation.kind).collect()
}

async fn suggested_grants_complete_the_graph(flavor: Flavor, name: &str, steps: &[&[LimitationKind]]) {
    let server = full_visibility_server(flavor).await;
    server.run_statements(&["CREATE USER clew@'127.0.0.1' IDENTIFIED BY 'x'"]).await.unwrap();
    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == name).unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let names = Names::of(&built);
    for &step in steps {
        let graph = observe_as(&server.url_for_account("clew", "x")).await;
        assert_eq!(kinds(&graph), step, "{graph:#?}");
        let found = names.waits(&graph);
        assert!(found.iter().all(|wait| expected_waits(&scenario).contains(wait)), "{found:?}");
        let only_names = step.iter().all(|&gap| gap == LimitationKind::NoPreparedNames);
        assert_eq!(only_names, found == expected_waits(&scenario) && graph.vanished.is_empty(), "{graph:#?}");
        let mut detached = graph.parties.iter().filter(|facts| facts.party.session_id().is_none());
        let known = detached.all(|facts| facts.transaction.as_ref().is_some_and(|facts| facts.xid.is_some()));
        assert!(known || !step.is_empty(), "{graph:#?}");
        let remedies: Vec<&str> =
            graph.limitations.iter().filter_map(|gap| Some(&*gap.remedy.as_ref()?.english)).collect();
        server.run_statements(&remedies).await.unwrap();
    }
    built.tear_down(&server).await.unwrap();
}

#[tokio::test]
async fn suggested_grants_complete_the_graph_on_mysql() {
    use LimitationKind::{NoMetadataLocks, NoPreparedNames, NoRowLocks, NoTransactions, OnlyOwnSessions};
    let nothing = [OnlyOwnSessions, NoTransactions, NoRowLocks, NoMetadataLocks];
    let steps: [&[LimitationKind]; 3] = [&nothing, &[NoPreparedNames], &[]];
    suggested_grants_complete_the_graph(Flavor::MySql, "a row of a prepared transaction whose session is gone", &steps)
        .await;
}

#[tokio::test]
async fn suggested_grants_complete_the_graph_on_mariadb() {
    use LimitationKind::{NoMetadataLocks, NoTransactions, OnlyOwnSessions};
    let nothing = [OnlyOwnSessions, NoTransactions, NoMetadataLocks];
    let steps: [&[LimitationKind]; 2] = [&nothing, &[]];
    suggested_grants_complete_the_graph(Flavor::MariaDb, "a row", &steps).await;
}
