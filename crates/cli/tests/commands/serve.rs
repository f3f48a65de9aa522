//! `clew serve`: how it starts, refuses to start, and stops.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::run::{clew, initialise, run};

#[tokio::test]
async fn it_says_its_address_and_stops_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialise(&dir).await;
    for signal in ["-TERM", "-INT"] {
        let mut child = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("http://127.0.0.1:"), "{line}");
        let pid = child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output()).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal}: {output:?}");
        let log = String::from_utf8(output.stderr).unwrap();
        let last = log.lines().last().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["message"], "stopped", "{log}");
    }
}

#[tokio::test]
async fn what_it_cannot_serve_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let ended = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", nowhere.to_str().unwrap()]).await;
    ended.is_refused_with(&["is no data directory yet", "clew init"]);

    let dir = folder.path().join("data");
    initialise(&dir).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&["serve", "--listen", &address, "--data-dir", dir.to_str().unwrap()]).await;
    ended.has_failed_with(&["could not listen on", "--listen"]);

    let key = dir.join("master.key");
    let kept = folder.path().join("kept");
    std::fs::rename(&key, &kept).unwrap();
    let ended = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()]).await;
    ended.has_failed_with(&["master key", "restore it from a backup"]);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_meant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clew.toml");
    let file = path.to_str().unwrap();
    for (text, words) in [
        ("lisen = \"127.0.0.1:0\"", vec!["lisen is not known; did you mean listen?", file]),
        ("[results]\nretention = \"soon\"", vec!["retention", "line 2"]),
        ("[collections]\nper_node = 0", vec!["collections.per_node must be at least 1"]),
        ("[http", vec![file]),
    ] {
        std::fs::write(&path, text).unwrap();
        run(&["serve", "--config", file]).await.is_refused_with(&words);
    }
    run(&["serve", "--config", "/no/such/file"]).await.is_refused_with(&["could not read the configuration"]);
}
