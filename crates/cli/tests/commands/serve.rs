//! `clew serve`: startup, startup errors and shutdown.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::run::{clew, initialize, run};

#[tokio::test]
async fn server_prints_its_address_and_shuts_down_gracefully() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
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
        assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["message"], "server stopped", "{log}");
    }
}

#[tokio::test]
async fn startup_errors_are_reported_with_a_fix() {
    let folder = tempfile::tempdir().unwrap();
    let missing_dir = folder.path().join("missing_dir");
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", missing_dir.to_str().unwrap()]).await;
    output.assert_refused(&["is not initialized yet", "clew init"]);

    let dir = folder.path().join("data");
    initialize(&dir).await;
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", &address, "--data-dir", dir.to_str().unwrap()]).await;
    output.assert_failed(&["could not listen on", "--listen"]);

    let key = dir.join("master.key");
    let backup = folder.path().join("backup");
    std::fs::rename(&key, &backup).unwrap();
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()]).await;
    output.assert_failed(&["master key", "restore it from a backup"]);
}

#[tokio::test]
async fn invalid_configuration_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clew.toml");
    let file = path.to_str().unwrap();
    for (text, words) in [
        ("lisen = \"127.0.0.1:0\"", vec!["unknown key lisen; did you mean listen?", file]),
        ("[results]\nretention = \"soon\"", vec!["retention", "line 2"]),
        ("[collections]\nper_node = 0", vec!["collections.per_node must be at least 1"]),
        ("[http", vec![file]),
    ] {
        std::fs::write(&path, text).unwrap();
        run(&["serve", "--config", file]).await.assert_refused(&words);
    }
    run(&["serve", "--config", "/no/such/file"]).await.assert_refused(&["could not read the configuration"]);
}

/// Writes a new certificate for 127.0.0.1 and the private key. Returns the certificate.
fn write_new_certificate(folder: &Path) -> reqwest::Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("clew.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("clew.pem"), made.cert.pem()).unwrap();
    reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

/// Returns true if a server with this certificate responds to `/healthz`. Each call opens a new connection.
async fn is_healthy(endpoint: &str, certificate: &reqwest::Certificate) -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([certificate.clone()]).build().unwrap();
    let response = client.get(format!("{endpoint}/healthz")).send().await;
    response.is_ok_and(|response| response.status() == 200)
}

/// Starts a server. Returns the process and the address that it prints.
async fn start(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    (child, line.trim_end().to_owned())
}

#[tokio::test]
async fn replaced_tls_certificate_is_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    initialize(Path::new(&at("data"))).await;
    let first = write_new_certificate(folder.path());
    let config = format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n[tls]\ncert = {:?}\nkey = {:?}\n",
        at("data"),
        at("clew.pem"),
        at("clew.key")
    );
    std::fs::write(at("clew.toml"), config).unwrap();
    let log = std::fs::File::create(at("log")).unwrap();
    let (child, endpoint) = start(clew(&["serve", "--config", &at("clew.toml")]).stderr(log)).await;
    assert!(endpoint.starts_with("https://127.0.0.1:"), "{endpoint}");
    assert!(is_healthy(&endpoint, &first).await);

    let reload_count = || std::fs::read_to_string(at("log")).unwrap().matches("TLS certificate reloaded").count();
    assert_eq!(reload_count(), 0);
    // The files are unchanged, so only the signal can cause the reload.
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    wait_until(async || reload_count() == 1).await;
    assert!(is_healthy(&endpoint, &first).await);

    let second = write_new_certificate(folder.path());
    wait_until(async || is_healthy(&endpoint, &second).await).await;
    assert!(!is_healthy(&endpoint, &first).await);
}

async fn wait_until(condition: impl AsyncFn() -> bool) {
    for _ in 0..1000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the condition was not met in time");
}

#[tokio::test]
async fn invalid_certificate_is_rejected_with_a_fix() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    write_new_certificate(folder.path());
    let (certificate, key) = (at("clew.pem"), at("clew.key"));
    let key_of_another = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().signing_key.serialize_pem();
    std::fs::write(at("other.key"), key_of_another).unwrap();
    for (arguments, words) in [
        (vec!["--tls-cert", &certificate], vec!["the TLS certificate has no private key", "--tls-key"]),
        (vec!["--tls-key", &key], vec!["the TLS private key has no certificate", "--tls-cert"]),
        (
            vec!["--tls-cert", "/no/such/file", "--tls-key", &key],
            vec!["could not read the TLS certificate /no/such/file"],
        ),
        (vec!["--tls-cert", &certificate, "--tls-key", &at("other.key")], vec!["does not belong to the certificate"]),
        (vec!["--tls-cert", &key, "--tls-key", &key], vec!["contains no certificate"]),
    ] {
        run(&[&["serve"], arguments.as_slice()].concat()).await.assert_refused(&words);
    }
}

#[tokio::test]
async fn plain_http_on_public_addresses_requires_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    initialize(Path::new(&at("data"))).await;
    let data = at("data");
    for address in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
        let output = run(&["serve", "--listen", address, "--data-dir", &data]).await;
        output.assert_refused(&["without TLS", "--tls-cert", "127.0.0.1", "--allow-plain-http"]);
    }
    let serve = |address, more: &[&str]| {
        let mut command = clew(&[&["serve", "--listen", address, "--data-dir", &data], more].concat());
        command.stderr(Stdio::null());
        command
    };
    write_new_certificate(folder.path());
    let mut by_environment = serve("0.0.0.0:0", &[]);
    by_environment.env("CLEW_ALLOW_PLAIN_HTTP", "1");
    for (mut command, expected_prefix) in [
        (serve("0.0.0.0:0", &["--allow-plain-http"]), "http://0.0.0.0:"),
        (by_environment, "http://0.0.0.0:"),
        (serve("0.0.0.0:0", &["--tls-cert", &at("clew.pem"), "--tls-key", &at("clew.key")]), "https://0.0.0.0:"),
        (serve("localhost:0", &[]), "http://"),
        (serve("127.8.9.1:0", &[]), "http://127.8.9.1:"),
    ] {
        let (mut child, endpoint) = start(&mut command).await;
        assert!(endpoint.starts_with(expected_prefix), "{command:?}: {endpoint}");
        child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn server_restricts_its_data_directory_and_disables_core_dumps() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    for (path, mode) in [(dir.clone(), 0o755), (dir.join("clew.db"), 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()]);
    let (mut child, _) = start(command.stderr(Stdio::piped())).await;
    let pid = child.id().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("clew.db")), mode(&dir.join("spill"))), (0o700, 0o600, 0o700));
    child.start_kill().unwrap();
    let log = String::from_utf8(child.wait_with_output().await.unwrap().stderr).unwrap();
    let restricted: Vec<&str> = log.lines().filter(|line| line.contains("permissions restricted from")).collect();
    assert_eq!(restricted.len(), 2, "{log}");
    assert!(restricted.iter().any(|line| line.contains("from 755 to 700")), "{log}");
}

#[tokio::test]
async fn server_reports_truncation_of_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("clew.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE earlier AS SELECT * FROM audit_ends").execute(&pool).await.unwrap();
    for user in ["ada", "eve"] {
        let created = run(&["user", "create", user, "--data-dir", dir.to_str().unwrap()]).await;
        assert_eq!(created.code, Some(0), "{created:?}");
    }
    let mut command = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()]);
    let (mut child, _) = start(command.stderr(Stdio::piped())).await;
    // The server reads the newest row at startup. The trigger rejects its first record of the loss.
    for statement in [
        "CREATE TRIGGER audit_is_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
        "DROP TRIGGER audit_is_kept",
        "DROP TRIGGER audit_ends_stay",
        "DELETE FROM audit WHERE seq > 1",
        "DELETE FROM audit_ends",
        "INSERT INTO audit_ends SELECT * FROM earlier",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut logged = async |words: &str| {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains(words) {
                return line;
            }
        }
        panic!("the log ended without the expected text");
    };
    let limit = Duration::from_mins(1);
    let line = tokio::time::timeout(limit, logged("rows of the audit log were removed")).await.unwrap();
    assert!(line.contains("row 3 is missing") && line.contains("\"ERROR\""), "{line}");
    tokio::time::timeout(limit, logged("could not check the audit log")).await.unwrap();
    sqlx::query("DROP TRIGGER audit_is_full").execute(&pool).await.unwrap();
    let recorded = async {
        let dir = dir.to_str().unwrap();
        while !run(&["audit", "list", "--operation", "AuditTruncated", "--data-dir", dir])
            .await
            .stdout
            .contains("failed")
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(limit, recorded).await.unwrap();
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn server_works_after_the_reader_of_its_log_has_exited() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let mut process = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut endpoint = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut endpoint).await.unwrap();
    drop(process.stderr.take());
    let _ = rustls::crypto::ring::default_provider().install_default();
    for _ in 0..3 {
        let response = reqwest::get(format!("{}/readyz", endpoint.trim())).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let pid = process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = tokio::time::timeout(Duration::from_secs(30), process.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}
