//! `clew serve --results`: required settings, and the access test at startup.

use std::process::Stdio;
use std::time::Duration;

use clew_testkit::{NginxServer, S3Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::run::{clew, initialize, run_command};

/// Command `clew serve` with results on an S3 server.
fn serve(dir: &std::path::Path, location: &str, endpoint: &str) -> Command {
    let dir = dir.to_str().unwrap();
    let mut command = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--results", location]);
    let (key, secret) = S3Server::ADMIN_CREDENTIALS;
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    command
}

#[tokio::test]
async fn unusable_result_store_is_rejected_with_a_fix() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let unreachable = "http://127.0.0.1:1";
    for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        let mut command = serve(&dir, "s3://results/clew", unreachable);
        command.env_remove(missing);
        run_command(command).await.assert_refused(&["results on S3 require", missing]);
    }
    run_command(serve(&dir, "/results", unreachable)).await.assert_refused(&["--results", "s3://bucket/prefix"]);
    let output = run_command(serve(&dir, "s3://results/clew", unreachable)).await;
    output.assert_failed(&["s3://results/clew", "cannot be reached", "AWS_ENDPOINT_URL"]);
    assert!(!output.stderr.contains(S3Server::ADMIN_CREDENTIALS.1), "{output:?}");
}

#[tokio::test]
async fn results_are_stored_at_the_configured_location_on_a_server() {
    let s3 = S3Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    run_command(serve(&dir, "s3://none/clew", &s3.endpoint()))
        .await
        .assert_failed(&["no such bucket", "create the bucket"]);
    let mut child =
        serve(&dir, "s3://results/clew", &s3.endpoint()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await.unwrap().unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn s3_endpoint_certificate_is_verified_on_a_server() {
    let s3 = S3Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (own, strange) = (certificate(), certificate());
    let known = file("known.pem", &own.cert.pem());
    let key = file("key.pem", &own.signing_key.serialize_pem());
    let unknown = file("unknown.pem", &strange.cert.pem());
    let nginx = NginxServer::start(|address| {
        format!(
            "server {{ listen {address} ssl; ssl_certificate {}; ssl_certificate_key {}; \
             location / {{ proxy_pass {}; proxy_set_header Host $http_host; }} }}",
            known.display(),
            key.display(),
            s3.endpoint(),
        )
    });
    let nginx = nginx.await.unwrap();
    let endpoint = format!("https://localhost:{}", nginx.address().port());
    let with = |certificate: &std::path::Path| {
        let mut command = serve(&dir, "s3://results/clew", &endpoint);
        command.env("SSL_CERT_FILE", certificate);
        command
    };
    run_command(with(&unknown)).await.assert_failed(&["s3://results/clew", "certificate"]);
    let mut child = with(&known).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await.unwrap().unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    child.kill().await.unwrap();
}
