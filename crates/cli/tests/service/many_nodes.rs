//! Collections for a thousand nodes use bounded memory and connections, and leave no connection open.

use std::time::{Duration, Instant};

use clew_client::{Client, CollectionStatus, RequestId, StartCollectionRequest, StreamSink};
use clew_model::{AuditOrigin, InstanceId, NewInstance, NewNode, NodeId, NodeRole};
use clew_store::Store;
use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerFleet, FakeServerOptions, Fault, Flavor,
    open_idle_sessions,
};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::backend;
use crate::harness::{Home, RunningService, http};

const NODE_COUNT: usize = 1_000;
const NODES_PER_INSTANCE: usize = 10;
const SESSIONS_PER_NODE: usize = 20;
/// Account that only Clew uses.
const MONITORING_ACCOUNT: &str = "clew";
/// Users of Clew's connections in a process list, during and after the login.
const CLEW_USERS: [&str; 2] = ["unauthenticated user", MONITORING_ACCOUNT];
/// Number of concurrent callers.
const CALLERS: usize = 16;
const MAX_PEAK_KIB: u64 = 128 * 1024;
/// Configuration without rate limits for one caller.
const UNLIMITED_CONFIGURATION: &str = "[limits]\nprincipal_per_second = 0\nlong_polls_per_principal = 0";

type Node = (InstanceId, NodeId);

/// Registers instances directly in the store, because a thousand `clew` processes would be too slow.
async fn register_instances(home: &Home, urls: &[String]) -> Vec<Node> {
    let store = Store::open(home.location()).await.unwrap();
    let mut nodes = Vec::new();
    for (at, urls) in urls.chunks(NODES_PER_INSTANCE).enumerate() {
        let node = |(at, url): (usize, &String)| NewNode {
            zone: None,
            id: None,
            role: if at == 0 { NodeRole::Master } else { NodeRole::Slave },
            url: url.parse().unwrap(),
        };
        let instance = NewInstance {
            id: None,
            project_id: home.credential("project_id").parse().unwrap(),
            name: format!("i{at}"),
            enterprise_project_id: "0".to_owned(),
            tags: vec![],
            nodes: urls.iter().enumerate().map(node).collect(),
        };
        let added = store.instances().add_instance(&AuditOrigin::for_local_account("test"), instance).await.unwrap();
        nodes.extend(added.nodes.into_iter().map(|node| (added.id.clone(), node.id)));
    }
    nodes
}

/// Starts a server with a configuration.
async fn serve(home: &Home, configuration: &str) -> RunningService {
    let file = home.folder.path().join("clew.toml");
    std::fs::write(&file, configuration).unwrap();
    home.serve_with_config(&file).await
}

/// Requests one collection from each node.
async fn collect_each(client: &Client, nodes: &[Node]) -> Vec<(Node, RequestId)> {
    let mut callers = JoinSet::new();
    for share in nodes.chunks(nodes.len().div_ceil(CALLERS)) {
        let (client, share) = (client.clone(), share.to_vec());
        callers.spawn(async move {
            let mut requested = Vec::new();
            for (instance, node) in share {
                let id = client.start_collection(&instance, &node, &StartCollectionRequest::default()).await.unwrap();
                requested.push(((instance, node), id));
            }
            requested
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

/// Returns the number of tasks with a status, from the metrics of the server.
async fn count_tasks(serving: &RunningService, status: &str) -> usize {
    let text = http().get(format!("{}/metrics", serving.endpoint)).send().await.unwrap().text().await.unwrap();
    let line = format!("clew_tasks{{status=\"{status}\"}} ");
    text.lines().find_map(|of| of.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

/// Waits until all collections have completed.
async fn wait_for_completion(serving: &RunningService, count: usize) {
    while count_tasks(serving, "finished").await + count_tasks(serving, "error").await < count {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the account name of each session in a result.
async fn list_session_users(client: &Client, (instance, node): &Node, id: &RequestId) -> Vec<String> {
    let mut target = StreamSink::new(Vec::new());
    client.download(instance, node, id, &mut target, |_, _| {}).await.unwrap();
    csv::Reader::from_reader(target.into_inner().as_slice()).records().map(|row| row.unwrap()[1].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_nodes_are_collected_in_bounded_memory() {
    let options = FakeServerOptions { sessions: SESSIONS_PER_NODE as u64, transactions: 5, fault: Fault::None };
    let fleet = FakeServerFleet::start(NODE_COUNT, options).await.unwrap();
    let home = Home::new().await;
    let urls: Vec<_> = fleet.servers.iter().map(FakeServer::url).collect();
    let nodes = register_instances(&home, &urls).await;
    let serving = serve(&home, UNLIMITED_CONFIGURATION).await;
    let client = home.client(&serving);

    let start = Instant::now();
    let requested = collect_each(&client, &nodes).await;
    let accepted = start.elapsed();
    wait_for_completion(&serving, NODE_COUNT).await;
    println!("{NODE_COUNT} nodes: accepted after {accepted:.2?}, completed after {:.2?}", start.elapsed());
    println!("peak {} KiB, {} connections at most", serving.peak_kib(), fleet.connections.peak_count());

    for (node, id) in requested.iter().step_by(50) {
        assert_eq!(list_session_users(&client, node, id).await.len(), SESSIONS_PER_NODE);
    }
    assert_eq!(
        (count_tasks(&serving, "finished").await, count_tasks(&serving, "error").await),
        (NODE_COUNT, 0),
        "{}",
        home.log()
    );
    assert_eq!(fleet.connections.login_count(), NODE_COUNT as u64);
    assert!(
        fleet.connections.peak_count() <= backend::WORKERS * (64 + 256),
        "{} connections at once",
        fleet.connections.peak_count()
    );
    assert!(serving.peak_kib() < MAX_PEAK_KIB, "{} KiB", serving.peak_kib());
    while fleet.connections.open_count() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_hundred_hung_nodes_do_not_delay_others() {
    const HUNG_NODES: usize = 100;
    let hung = FakeServerFleet::start(
        HUNG_NODES,
        FakeServerOptions { fault: Fault::NoGreeting, ..FakeServerOptions::default() },
    )
    .await
    .unwrap();
    let healthy = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let home = Home::new().await;
    let urls: Vec<_> = hung.servers.iter().chain([&healthy]).map(FakeServer::url).collect();
    let mut nodes = register_instances(&home, &urls).await;
    let healthy = nodes.pop().unwrap();
    // With these timeouts, the collections from hung nodes run longer than the test.
    let serving =
        serve(&home, &format!("[nodes]\ntimeout = \"1h\"\nconnect_timeout = \"1h\"\n{UNLIMITED_CONFIGURATION}")).await;
    let client = home.client(&serving);
    let stuck = collect_each(&client, &nodes).await;
    for _ in 0..3 {
        let id = client.start_collection(&healthy.0, &healthy.1, &StartCollectionRequest::default()).await.unwrap();
        let status = client
            .wait_for_collection_task(&healthy.0, &healthy.1, &id, Duration::from_mins(1), |_, _| {})
            .await
            .unwrap();
        assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    }
    for ((instance, node), id) in &stuck {
        assert_eq!(client.fetch_collection_status(instance, node, id).await.unwrap(), CollectionStatus::Running);
    }
    while hung.connections.open_count() < HUNG_NODES as u64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(hung.connections.peak_count(), HUNG_NODES as u64);
}

#[tokio::test]
async fn servers_registered_many_times_keep_no_connections() {
    const REGISTRATIONS_PER_SERVER: usize = 100;
    let mut servers = Vec::new();
    let mut urls = Vec::new();
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let sessions = open_idle_sessions(&server, SESSIONS_PER_NODE).await.unwrap();
        let mut statements = vec![
            format!("CREATE USER {MONITORING_ACCOUNT}@'%'"),
            format!("GRANT PROCESS ON *.* TO {MONITORING_ACCOUNT}@'%'"),
        ];
        if flavor == Flavor::MySql {
            statements.push(format!("GRANT SELECT ON performance_schema.* TO {MONITORING_ACCOUNT}@'%'"));
        }
        server.run_statements(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        let url = format!("mysql://{MONITORING_ACCOUNT}@127.0.0.1:{}/", server.port());
        urls.extend(std::iter::repeat_n(url, REGISTRATIONS_PER_SERVER));
        servers.push((server, sessions));
    }
    let home = Home::new().await;
    let nodes = register_instances(&home, &urls).await;
    let serving = serve(&home, UNLIMITED_CONFIGURATION).await;
    let client = home.client(&serving);
    let start = Instant::now();
    let requested = collect_each(&client, &nodes).await;
    wait_for_completion(&serving, requested.len()).await;
    println!("{} nodes of {} servers completed after {:.2?}", requested.len(), servers.len(), start.elapsed());
    assert_eq!(count_tasks(&serving, "error").await, 0, "{}", home.log());
    for (node, id) in requested.iter().step_by(10) {
        // A worker can list a connection of the other worker as a session, because each server is registered many times.
        let users = list_session_users(&client, node, id).await;
        let (workers, others): (Vec<_>, Vec<_>) = users.iter().partition(|user| CLEW_USERS.contains(&user.as_str()));
        assert_eq!(others, vec!["root"; SESSIONS_PER_NODE]);
        assert!(backend::WORKERS > 1 || workers.is_empty(), "the worker lists its own connections: {users:?}");
    }
    for (server, _sessions) in &servers {
        let mut connection = server.connect_as_root().await.unwrap();
        let open = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{MONITORING_ACCOUNT}'");
        while connection.query_first::<usize, _>(&open).await.unwrap() != Some(0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        connection.disconnect().await.unwrap();
    }
}
