//! Attacks of rogue servers on an unprotected driver. Each attack succeeds.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use clew_testkit::{LeakedPasswordEncoding, RogueAttack, RogueServer, RogueServerOptions};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, SslOpts};
use tokio::time::timeout;

const PASSWORD: &str = "correct-horse-battery-staple";

fn options(rogue: &RogueServer) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(rogue.address().ip().to_string())
        .tcp_port(rogue.address().port())
        .user(Some("clew"))
        .pass(Some(PASSWORD))
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 30))
        .wait_timeout(Some(60))
}

#[tokio::test]
async fn full_authentication_without_tls_yields_the_rsa_encrypted_password() {
    let rogue = RogueServer::start(RogueAttack::FullAuthentication).await.unwrap();
    assert_eq!(rogue.find_password_leak(PASSWORD), None);
    let mut connection = Conn::new(options(&rogue)).await.unwrap();
    assert_eq!(rogue.find_password_leak(PASSWORD), Some(LeakedPasswordEncoding::Rsa));
    assert_eq!(rogue.find_password_leak("another password"), None);
    let (version, id): (String, u32) =
        connection.query_first("SELECT VERSION(), CONNECTION_ID()").await.unwrap().unwrap();
    assert_eq!((version.as_str(), id, rogue.connection_count()), ("9.7.0", 1, 1));
}

#[tokio::test]
async fn full_authentication_over_unverified_tls_yields_the_plain_password() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mode = RogueAttack::FullAuthentication;
    let rogue = RogueServer::start(RogueServerOptions { tls: true, ..mode.into() }).await.unwrap();
    let unchecked = SslOpts::default().with_danger_accept_invalid_certs(true);
    Conn::new(options(&rogue).ssl_opts(Some(unchecked))).await.unwrap();
    assert_eq!(rogue.find_password_leak(PASSWORD), Some(LeakedPasswordEncoding::Clear));
}

#[tokio::test]
async fn weak_plugins_yield_the_password_only_if_the_driver_allows_them() {
    for (mode, leak) in [
        (RogueAttack::ClearPassword, LeakedPasswordEncoding::Clear),
        (RogueAttack::OldPassword, LeakedPasswordEncoding::OldPassword),
    ] {
        let rogue = RogueServer::start(mode).await.unwrap();
        Conn::new(options(&rogue)).await.unwrap_err();
        assert_eq!(rogue.find_password_leak(PASSWORD), None);
        Conn::new(options(&rogue).enable_cleartext_plugin(true).secure_auth(false)).await.unwrap();
        assert_eq!(rogue.find_password_leak(PASSWORD), Some(leak));
    }
    // The driver does not support `sha256_password`.
    let rogue = RogueServer::start(RogueAttack::Sha256Password).await.unwrap();
    Conn::new(options(&rogue)).await.unwrap_err();
    assert_eq!(rogue.find_password_leak(PASSWORD), None);
}

#[tokio::test]
async fn huge_row_arrives_complete() {
    const BYTES: usize = 40 << 20;
    let rogue = RogueServer::start(RogueAttack::HugePacket { bytes: BYTES as u64 }).await.unwrap();
    let mut connection = Conn::new(options(&rogue)).await.unwrap();
    let mut row: mysql_async::Row = connection.query_first("SHOW FULL PROCESSLIST").await.unwrap().unwrap();
    assert_eq!(row.take::<String, _>(0).unwrap(), "1");
    assert_eq!(row.take::<Vec<u8>, _>(7).unwrap().len(), BYTES);
    // The connection is still in sync for the next statement.
    assert_eq!(connection.query_first::<u8, _>("SELECT 1").await.unwrap(), Some(0));
}

#[tokio::test]
async fn rows_and_columns_are_endless() {
    let rogue = RogueServer::start(RogueAttack::EndlessRows).await.unwrap();
    let mut connection = Conn::new(options(&rogue)).await.unwrap();
    let mut rows = connection.query_iter("SELECT id, info FROM performance_schema.threads").await.unwrap();
    for _ in 0..10_000 {
        assert_eq!(rows.next().await.unwrap().unwrap().len(), 2);
    }
    drop(rows);

    let rogue = RogueServer::start(RogueAttack::EndlessColumns).await.unwrap();
    let mut connection = Conn::new(options(&rogue)).await.unwrap();
    let listing = connection.query_iter("SHOW FULL PROCESSLIST");
    assert!(timeout(Duration::from_millis(500), listing).await.is_err());
    assert!(rogue.sent_attack_byte_count() > 1 << 20);
}

#[tokio::test]
async fn other_attacks_reach_the_client() {
    let rogue = RogueServer::start(RogueAttack::LocalInfile("/etc/hostname".into())).await.unwrap();
    let mut connection = Conn::new(options(&rogue)).await.unwrap();
    let error = connection.query_drop("SHOW FULL PROCESSLIST").await.unwrap_err();
    assert!(matches!(error, Error::Other(_) | Error::Driver(_)) || error.to_string().contains("infile"), "{error:?}");

    let rogue = RogueServer::start(RogueAttack::Garbage).await.unwrap();
    let mut connection = Conn::new(options(&rogue)).await.unwrap();
    let listing = connection.query::<mysql_async::Row, _>("SHOW FULL PROCESSLIST");
    assert!(timeout(Duration::from_secs(30), listing).await.is_ok_and(|listed| listed.is_err()));
    assert_eq!(rogue.attack_count(), 1);
}
