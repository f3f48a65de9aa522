//! Malicious servers get no password and no file, and cannot exhaust memory.

use std::time::Duration;

use clew_model::{Failure, FailureKind, LimitationKind, NodeUrl, SessionSelection};
use clew_mysql::{
    NodeConnector, ReadLimits, ReadSizeLimits, Snapshot, SnapshotFormat, SnapshotOptions, find_sessions_by_id,
    take_snapshot,
};
use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, Flavor, LeakedPasswordEncoding, PacketAction, RewriteRules, RewritingProxy,
    RogueAttack, RogueServer, RogueServerOptions,
};

use super::{connector, take};

const PASSWORD: &str = "correct-horse-battery";

async fn read(url: &str, per_read: u64) -> Result<Snapshot, Failure> {
    read_with_limits(url, ReadSizeLimits { per_read, ..ReadSizeLimits::default() }).await
}

fn connector_with_limits(bytes: ReadSizeLimits) -> NodeConnector {
    let limits = ReadLimits { read_timeout: Duration::from_secs(30), bytes, ..ReadLimits::default() };
    NodeConnector { limits, ..connector() }
}

async fn read_with_limits(url: &str, bytes: ReadSizeLimits) -> Result<Snapshot, Failure> {
    let node: NodeUrl = url.parse().unwrap();
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
    take_snapshot(&node, &options, &connector_with_limits(bytes)).await
}

#[tokio::test]
async fn plain_password_is_not_sent_without_tls() {
    for (mode, expected) in [
        (RogueAttack::FullAuthentication, "the password was not sent"),
        (RogueAttack::Sha256Password, "the password was not sent"),
        (RogueAttack::ClearPassword, "the password was not sent"),
        (RogueAttack::OldPassword, "mysql_old_password"),
    ] {
        for parameters in ["tls=off", "tls=preferred", ""] {
            let rogue = RogueServer::start(mode.clone()).await.unwrap();
            let failure = read(&rogue.url_for_account("clew", PASSWORD, parameters), 1 << 30).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::AccessDenied, "{mode:?}: {failure}");
            assert!(failure.detail.contains(expected) && failure.detail.contains("Fix:"), "{mode:?}: {failure}");
            assert_eq!(rogue.find_password_leak(PASSWORD), None, "{mode:?} {parameters}");
        }
    }
}

/// Without certificate verification, Clew sends the plain password over TLS only to loopback addresses.
#[tokio::test]
async fn plain_password_is_not_sent_to_a_server_with_an_unknown_certificate() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let ca = server.process.data_dir().join("ca.pem").display().to_string();
    for mode in [RogueAttack::FullAuthentication, RogueAttack::Sha256Password, RogueAttack::ClearPassword] {
        let options = RogueServerOptions { tls: true, ..RogueServerOptions::from(mode.clone()) };
        let rogue = RogueServer::start(options.clone()).await.unwrap();
        for parameters in ["tls=verify-ca", "tls=verify-identity", &format!("tls=verify-ca&ca={ca}")] {
            let url = rogue.url_for_account("clew", PASSWORD, &format!("{parameters}&get-server-public-key=on"));
            let failure = read(&url, 1 << 30).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::TlsFailed, "{mode:?} {parameters}: {failure}");
            assert!(rogue.received_packets().is_empty(), "{mode:?} {parameters}");
        }
        let rogue = RogueServer::start(options).await.unwrap();
        let _ = read(&rogue.url_for_account("clew", PASSWORD, "tls=required"), 1 << 30).await;
        assert_eq!(rogue.find_password_leak(PASSWORD), Some(LeakedPasswordEncoding::Clear), "{mode:?}");
    }
}

#[tokio::test]
async fn password_is_encrypted_with_the_servers_key_only_if_configured() {
    let rogue = RogueServer::start(RogueAttack::FullAuthentication).await.unwrap();
    let _ = read(&rogue.url_for_account("clew", PASSWORD, "tls=off&get-server-public-key=on"), 1 << 30).await;
    assert_eq!(rogue.find_password_leak(PASSWORD), Some(LeakedPasswordEncoding::Rsa));

    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let create = format!("CREATE USER clew@'%' IDENTIFIED BY '{PASSWORD}'");
    server.run_statements(&[&create, "GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
    let url = format!("mysql://clew:{PASSWORD}@127.0.0.1:{}/?tls=off", server.port());
    let refused = read(&url, 1 << 30).await.unwrap_err();
    assert!(refused.detail.contains("server-public-key="), "{refused}");
    let key = server.process.data_dir().join("public_key.pem");
    read(&format!("{url}&server-public-key={}", key.display()), 1 << 30).await.unwrap();
    // The server has now cached the password, until privileges are flushed: a challenge is sufficient.
    read(&url, 1 << 30).await.unwrap();
    server.run_statements(&["FLUSH PRIVILEGES"]).await.unwrap();
    read(&url, 1 << 30).await.unwrap_err();
    read(&format!("{url}&get-server-public-key=on"), 1 << 30).await.unwrap();
    let ca = server.process.data_dir().join("ca.pem");
    server.run_statements(&["FLUSH PRIVILEGES"]).await.unwrap();
    read(&format!("{}?tls=verify-ca&ca={}", url.trim_end_matches("?tls=off"), ca.display()), 1 << 30).await.unwrap();
}

#[tokio::test]
async fn required_tls_does_not_fall_back_behind_a_proxy() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let target = ([127, 0, 0, 1], server.port()).into();
        let proxy =
            RewritingProxy::start(target, RewriteRules { hide_tls: true, ..RewriteRules::default() }).await.unwrap();
        let failure = read(&format!("mysql://root@{}/?tls=required", proxy.address()), 1 << 30).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::TlsFailed, "{flavor}: {failure}");
        assert!(failure.detail.contains("does not offer TLS"), "{flavor}: {failure}");
    }
}

#[tokio::test]
async fn one_connection_is_opened_for_a_read_with_and_without_tls() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let target = ([127, 0, 0, 1], server.port()).into();
        for hide_tls in [false, true] {
            let rewrite = RewriteRules {
                hide_tls,
                effect: Some(("no statement", PacketAction::HoldRequest)),
                ..RewriteRules::default()
            };
            let proxy = RewritingProxy::start(target, rewrite).await.unwrap();
            take(&format!("mysql://root@{}/?tls=preferred", proxy.address()), &SessionSelection::default(), true)
                .await
                .unwrap();
            assert_eq!(proxy.connection_count(), 1, "{flavor}, TLS hidden: {hide_tls}");
        }
    }
}

#[tokio::test]
async fn local_file_is_not_sent() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "content of a local file").unwrap();
    let rogue = RogueServer::start(RogueAttack::LocalInfile(file.path().display().to_string())).await.unwrap();
    let failure = read(&rogue.url_for_account("clew", "", "tls=off"), 1 << 30).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotMysql, "{failure}");
    assert!(failure.detail.contains("requests a local file"), "{failure}");
    assert!(!rogue.received_packets().concat().windows(10).any(|part| part == b"local file"));
}

#[tokio::test]
async fn statement_of_200_mib_is_truncated_and_reported() {
    let rogue = RogueServer::start(RogueAttack::HugePacket { bytes: 200 << 20 }).await.unwrap();
    let snapshot = read(&rogue.url_for_account("clew", "", "tls=off"), 1 << 30).await.unwrap();
    let kinds: Vec<_> = snapshot.summary.limitations.iter().map(|limitation| limitation.kind).collect();
    assert!(kinds.contains(&LimitationKind::StatementsTruncated), "{kinds:?}");
    assert_eq!(snapshot.summary.rows, 1);
}

#[tokio::test]
async fn row_limit_truncates_statements() {
    let rogue = RogueServer::start(RogueAttack::HugePacket { bytes: 4 << 20 }).await.unwrap();
    let url = rogue.url_for_account("clew", "", "tls=off");
    for (per_row, truncated, length) in [(1 << 20, true, 1 << 20), (8 << 20, false, 4 << 20)] {
        let mut snapshot =
            read_with_limits(&url, ReadSizeLimits { per_row, ..ReadSizeLimits::default() }).await.unwrap();
        let limitations = &snapshot.summary.limitations;
        let reported =
            limitations.iter().any(|limitation| limitation.what.english.contains("truncated after about 1024 KiB"));
        assert_eq!(reported, truncated, "{limitations:?}");
        let mut csv = Vec::new();
        snapshot.body.write_to(&mut csv).unwrap();
        assert!((length - 100..=length + 100).contains(&csv.len()), "{} bytes", csv.len());
    }
}

#[tokio::test]
async fn sessions_in_memory_are_limited() {
    let rogue = RogueServer::start(RogueAttack::EndlessRows).await.unwrap();
    let node: NodeUrl = rogue.url_for_account("clew", "", "tls=off").parse().unwrap();
    let connector = connector_with_limits(ReadSizeLimits { in_memory: 1 << 20, ..ReadSizeLimits::default() });
    let failure = find_sessions_by_id(&node, &[1], &connector).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ServerError, "{failure}");
    assert!(failure.detail.contains("1048576 bytes of sessions"), "{failure}");
    assert!(rogue.sent_attack_byte_count() < 16 << 20, "{} bytes", rogue.sent_attack_byte_count());
}

#[tokio::test]
async fn endless_responses_end_at_the_byte_limit() {
    for mode in
        [RogueAttack::EndlessRows, RogueAttack::EndlessColumns, RogueAttack::HugeColumnCount, RogueAttack::Garbage]
    {
        let rogue = RogueServer::start(mode.clone()).await.unwrap();
        let failure = read(&rogue.url_for_account("clew", "", "tls=off"), 4 << 20).await.unwrap_err();
        assert!(matches!(failure.kind, FailureKind::NotMysql | FailureKind::ServerError), "{mode:?}: {failure}");
        assert!(rogue.sent_attack_byte_count() < 16 << 20, "{mode:?}: {} bytes", rogue.sent_attack_byte_count());
    }
}
