//! `clew serve --results`: what it needs, and that it is tried before anything is served.

use std::process::Stdio;
use std::time::Duration;

use clew_testkit::S3Server;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::run::{clew, end, initialise};

/// `clew serve` with results at a location of an S3 server.
fn serve(dir: &std::path::Path, location: &str, endpoint: &str) -> Command {
    let dir = dir.to_str().unwrap();
    let mut command = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--results", location]);
    let (key, secret) = S3Server::OWNER;
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    command
}

#[tokio::test]
async fn results_that_cannot_be_kept_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialise(&dir).await;
    let nobody = "http://127.0.0.1:1";
    for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        let mut command = serve(&dir, "s3://results/clew", nobody);
        command.env_remove(missing);
        end(command).await.is_refused_with(&["results on S3 need", missing]);
    }
    end(serve(&dir, "/results", nobody)).await.is_refused_with(&["--results", "s3://bucket/prefix"]);
    let ended = end(serve(&dir, "s3://results/clew", nobody)).await;
    ended.has_failed_with(&["s3://results/clew", "cannot be reached", "AWS_ENDPOINT_URL"]);
    assert!(!ended.stderr.contains(S3Server::OWNER.1), "{ended:?}");
}

#[tokio::test]
async fn results_are_kept_where_it_is_told_on_a_server() {
    let s3 = S3Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialise(&dir).await;
    end(serve(&dir, "s3://none/clew", &s3.endpoint())).await.has_failed_with(&["no such bucket", "make the bucket"]);
    let mut child =
        serve(&dir, "s3://results/clew", &s3.endpoint()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await.unwrap().unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    child.kill().await.unwrap();
}
