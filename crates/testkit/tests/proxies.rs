//! Proxies and virtual addresses in front of real servers.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_testkit::{
    ClientCharset, ConnectionIdRewrite, DatabaseServer, DatabaseServerOptions, Flavor, PacketAction, RawSession,
    RewriteRules, RewritingProxy, VirtualIpProxy,
};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, OptsBuilder, SslOpts};
use tokio::time::timeout;

async fn server(flavor: Flavor) -> DatabaseServer {
    DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap()
}

fn address(server: &DatabaseServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

fn options(address: SocketAddr) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some("root"))
        .prefer_socket(false)
}

async fn id_and_port(connection: &mut Conn) -> (u32, u16) {
    connection.query_first("SELECT CONNECTION_ID(), @@port").await.unwrap().unwrap()
}

#[tokio::test]
async fn rewriting_proxy_changes_the_connection_id() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(address(&server), rewrite).await.unwrap();
        for id in [7000, 7001] {
            let mut connection = Conn::new(options(proxy.address())).await.unwrap();
            assert_eq!(connection.id(), id, "{flavor}");
            assert_ne!(id_and_port(&mut connection).await.0, id, "{flavor}");
        }
        proxy.set_rewrite_rules(RewriteRules { greeting_id: ConnectionIdRewrite::Fixed(9), ..RewriteRules::default() });
        assert_eq!(Conn::new(options(proxy.address())).await.unwrap().id(), 9, "{flavor}");
        assert_eq!(proxy.connection_count(), 3);
    }
}

#[tokio::test]
async fn rewriting_proxy_strips_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = server(Flavor::MySql).await;
    let proxy = RewritingProxy::start(address(&server), RewriteRules::default()).await.unwrap();
    let tls = || options(proxy.address()).ssl_opts(Some(SslOpts::default().with_danger_accept_invalid_certs(true)));
    let mut encrypted = Conn::new(tls()).await.unwrap();
    let cipher: (String, String) = encrypted.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await.unwrap().unwrap();
    assert_ne!(cipher.1, "");
    proxy.set_rewrite_rules(RewriteRules { hide_tls: true, ..RewriteRules::default() });
    let stripped = Conn::new(tls()).await.unwrap_err();
    assert!(matches!(stripped, Error::Driver(DriverError::NoClientSslFlagFromServer)), "{stripped}");
    assert_eq!(id_and_port(&mut Conn::new(options(proxy.address())).await.unwrap()).await.1, server.port());
}

#[tokio::test]
async fn rewriting_proxy_holds_requests_and_responses() {
    let server = server(Flavor::MariaDb).await;
    server.run_statements(&["CREATE TABLE mysql.held (id INT)"]).await.unwrap();
    let mut control = server.connect_as_root().await.unwrap();
    for (effect, reaches_server) in [(PacketAction::HoldRequest, 0_u8), (PacketAction::HoldResponse, 1)] {
        let rewrite = RewriteRules { effect: Some(("INSERT", effect)), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(address(&server), rewrite).await.unwrap();
        let mut session = RawSession::open(proxy.address(), "root", None, ClientCharset::Utf8mb4).await.unwrap();
        session.send_statement(b"INSERT INTO mysql.held VALUES (1)").await.unwrap();
        proxy.wait_until_packet_is_held().await;
        let mut response = Box::pin(session.wait_for_response());
        assert!(timeout(Duration::from_millis(200), &mut response).await.is_err(), "{effect:?}");
        let rows: Option<u8> = control.query_first("SELECT COUNT(*) FROM mysql.held").await.unwrap();
        assert_eq!(rows, Some(reaches_server), "{effect:?}");
        proxy.release_held_packets();
        response.await.unwrap();
        control.query_drop("DELETE FROM mysql.held").await.unwrap();
    }
    let rewrite = RewriteRules {
        effect: Some(("DO 1", PacketAction::Delay(Duration::from_millis(5)))),
        ..RewriteRules::default()
    };
    let proxy = RewritingProxy::start(address(&server), rewrite).await.unwrap();
    let mut session = RawSession::open(proxy.address(), "root", None, ClientCharset::Utf8mb4).await.unwrap();
    session.execute("DO 1").await.unwrap();
}

#[tokio::test]
async fn virtual_address_fails_over_and_balances() {
    let (first, second) = tokio::join!(server(Flavor::MariaDb), server(Flavor::MariaDb));
    let moving = VirtualIpProxy::start(address(&first)).await.unwrap();
    let mut before = Conn::new(options(moving.address())).await.unwrap();
    assert_eq!(id_and_port(&mut before).await.1, first.port());
    moving.fail_over_to(address(&second));
    before.query_drop("DO 1").await.unwrap_err();
    let mut after = Conn::new(options(moving.address())).await.unwrap();
    assert_eq!(id_and_port(&mut after).await.1, second.port());

    let balancer = VirtualIpProxy::start_load_balancer(vec![address(&first), address(&second)]).await.unwrap();
    let connect = async |count: usize| {
        let mut ports = Vec::new();
        for _ in 0..count {
            let mut connection = Conn::new(options(balancer.address())).await.unwrap();
            ports.push(id_and_port(&mut connection).await.1);
        }
        ports
    };
    assert_eq!(connect(3).await, [first.port(), second.port(), first.port()]);
    balancer.replace_backends(vec![address(&first), address(&second)]);
    assert_eq!(connect(3).await, [first.port(), second.port(), first.port()], "starts with the first backend");
}

#[tokio::test]
async fn restarted_server_resets_connection_ids_and_keeps_accounts() {
    for flavor in Flavor::ALL {
        let mut server = server(flavor).await;
        server.run_statements(&["CREATE USER app", "CREATE DATABASE shop"]).await.unwrap();
        let mut old = RawSession::open(address(&server), "app", None, ClientCharset::Utf8mb4).await.unwrap();
        for _ in 0..20 {
            RawSession::open(address(&server), "app", None, ClientCharset::Utf8mb4).await.unwrap();
        }
        let last = RawSession::open(address(&server), "app", None, ClientCharset::Utf8mb4).await.unwrap().id;
        let (port, pid) = (server.port(), server.process.id());
        server.process.kill().unwrap();
        old.execute("DO 1").await.unwrap_err();
        server.restart().await.unwrap();
        assert_eq!(server.port(), port);
        assert_ne!(server.process.id(), pid);
        let new = RawSession::open(address(&server), "app", None, ClientCharset::Utf8mb4).await.unwrap();
        assert!(new.id < last, "{flavor}: {} after {last}", new.id);
    }
}
