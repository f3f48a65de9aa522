//! All TLS modes, on a server with TLS (MySQL generates its own certificates) and on one without.

use clew_model::{FailureKind, NodeUrl};
use clew_mysql::diagnose_node;
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};

use super::connector;

async fn cipher(url: &str) -> Result<Option<String>, FailureKind> {
    let node: NodeUrl = url.parse().unwrap();
    diagnose_node(&node, &connector()).await.map(|diagnosis| diagnosis.cipher).map_err(|failure| failure.kind)
}

#[tokio::test]
async fn tls_modes_on_a_server_with_tls() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let with = |tls: &str| format!("{}?tls={tls}", server.url());
    let ca = server.process.data_dir().join("ca.pem").display().to_string();
    assert_eq!(cipher(&with("off")).await, Ok(None));
    for tls in ["preferred", "required", &format!("verify-ca&ca={ca}")] {
        let cipher = cipher(&with(tls)).await.unwrap();
        assert!(cipher.is_some_and(|cipher| cipher.starts_with("TLS_")), "{tls}");
    }
    // MySQL's own certificate has a private authority and no host name.
    for tls in ["verify-ca", "verify-identity", &format!("verify-identity&ca={ca}")] {
        assert_eq!(cipher(&with(tls)).await, Err(FailureKind::TlsFailed), "{tls}");
    }
    let stranger = server.process.data_dir().join("server-cert.pem").display().to_string();
    assert_eq!(cipher(&with(&format!("verify-ca&ca={stranger}"))).await, Err(FailureKind::TlsFailed));
    assert_eq!(cipher(&with("verify-ca&ca=/no/such/file.pem")).await, Err(FailureKind::TlsFailed));
}

#[tokio::test]
async fn tls_modes_on_a_server_without_tls() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let with = |tls: &str| format!("{}?tls={tls}", server.url());
    assert_eq!(cipher(&with("preferred")).await, Ok(None));
    for tls in ["required", "verify-ca", "verify-identity"] {
        assert_eq!(cipher(&with(tls)).await, Err(FailureKind::TlsFailed), "{tls}");
    }
}

#[tokio::test]
async fn plain_connection_is_refused_by_a_server_that_requires_tls() {
    // TLS is required only after the start: the server would refuse the test kit's plain connection too.
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["SET GLOBAL require_secure_transport = ON"]).await.unwrap();
    assert_eq!(cipher(&format!("{}?tls=off", server.url())).await, Err(FailureKind::TlsFailed));
    assert!(cipher(&format!("{}?tls=required", server.url())).await.unwrap().is_some());
}
