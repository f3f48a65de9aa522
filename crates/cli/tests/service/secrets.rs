//! No stored file, log, metric or response contains a secret in clear text.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clew_client::{CollectionStatus, StartCollectionRequest};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use serde_json::{Value, json};

use crate::backend;
use crate::harness::{CLEW, Home, http};

/// Password of a database server. Only the command line and the worker use the password.
const DATABASE_PASSWORD: &str = "planted-password-of-the-database";
/// Mistyped password. The password is secret, because it resembles the correct password.
const MISTYPED: &str = "planted-password-with-a-slip";
/// A literal in the statement filter of a collection.
const FILTER_LITERAL: &str = "planted-literal-4929";
/// A literal in the statement of a session.
const STATEMENT_LITERAL: &str = "planted-statement-5713";

/// Runs `clew` with the data directory. Returns its JSON output.
fn clew(home: &Home, arguments: &[&str]) -> Value {
    let output = home
        .clew()
        .args(arguments)
        .args(["--format", "json", "--data-dir"])
        .arg(home.dir())
        .env("CLEW_DB_PASSWORD", DATABASE_PASSWORD)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Reads all files below a directory, named by the label and the path.
fn read_files(of: &str, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(of, &path, found);
        } else if path.is_file() {
            found.push((format!("{of}: {}", path.display()), fs::read(&path).unwrap()));
        }
    }
}

/// Asserts that no content contains a secret, and that literals occur only in metadata and results.
fn assert_absent(contents: &[(String, Vec<u8>)], secrets: &[(&str, Vec<u8>)]) {
    for (name, content) in contents {
        let has = |secret: &[u8]| content.windows(secret.len()).any(|window| window == secret);
        for (secret, bytes) in secrets {
            assert!(bytes.len() >= 12 && !has(bytes), "{secret} stands in {name}");
        }
        // Only the metadata may contain the filter of a task.
        assert!(!has(FILTER_LITERAL.as_bytes()) || name.contains(backend::METADATA), "the literal stands in {name}");
        // Only results may contain statements.
        let is_result = name.contains("/results/") || name.starts_with("S3");
        assert!(!has(STATEMENT_LITERAL.as_bytes()) || is_result, "a statement stands in {name}");
    }
}

/// Returns the body of a token request of the user `bob`.
fn sign_in_body(home: &Home, password: &str) -> Value {
    let domain = json!({ "name": home.credential("domain_name") });
    let password = json!({ "user": { "name": "bob", "password": password, "domain": domain } });
    json!({ "auth": { "identity": { "methods": ["password"], "password": password } } })
}

#[tokio::test]
async fn no_secret_is_stored_logged_or_returned_in_clear_text() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let account = format!("CREATE USER clew@'%' IDENTIFIED BY '{DATABASE_PASSWORD}'");
    server.run_statements(&[&account, "GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(format!("SELECT SLEEP(600), '{STATEMENT_LITERAL}'").as_bytes()).await.unwrap();
    let home = Home::new().await;
    let url = format!("mysql://clew@127.0.0.1:{}/", server.port());
    let added = clew(&home, &["instance", "add", "--name", "planted", "--node", &url]);
    let (instance, node) = (text(&added, "instance_id"), text(&added["nodes"][0], "id"));
    let bob = clew(&home, &["user", "create", "bob"]);
    let key = clew(&home, &["key", "create", "bob"]);
    let temporary = clew(&home, &["key", "create", "bob", "--temporary", "15m"]);

    let serving = home
        .serve_with_command(|| {
            let mut command = Command::new(CLEW);
            command.env("CLEW_LOG", "debug");
            command
        })
        .await;
    let (endpoint, project) = (&serving.endpoint, home.credential("project_id"));
    let token = home.token(endpoint).await;
    let mut responses = Vec::new();
    let mut record_response = async |name: &str, request: reqwest::RequestBuilder| {
        let mut response = request.send().await.unwrap();
        // Token validation returns the validated token in this header (TaurusDB API spec, section 3.2).
        response.headers_mut().remove("x-subject-token");
        let seen = format!("{:?} {:?} ", response.status(), response.headers());
        responses.push((
            format!("response to {name}"),
            [seen.into_bytes(), response.bytes().await.unwrap().to_vec()].concat(),
        ));
    };
    let tokens = format!("{endpoint}/v3/auth/tokens");
    record_response("a wrong password", http().post(&tokens).json(&sign_in_body(&home, MISTYPED))).await;
    record_response("a broken body", http().post(&tokens).body(format!("{{\"password\": \"{MISTYPED}\""))).await;
    record_response("validation", http().get(&tokens).header("X-Auth-Token", &token).header("X-Subject-Token", &token))
        .await;
    record_response("a strange token", http().get(&tokens).header("X-Auth-Token", MISTYPED)).await;
    let signature =
        format!("SDK-HMAC-SHA256 Access={}, SignedHeaders=host;x-sdk-date, Signature=00", text(&key, "access_key"));
    record_response("a wrong signature", http().get(&tokens).header("Authorization", signature)).await;
    let sessions = format!("{endpoint}/v3/{project}/instances/{instance}/nodes/{node}/realtime-session");
    let collect = http()
        .post(&sessions)
        .header("X-Auth-Token", &token)
        .json(&json!({ "sql_key": format!("'{FILTER_LITERAL}'") }));
    record_response("collect", collect).await;
    let of_domain = home.domain_token(endpoint).await;
    record_response("users", http().get(format!("{endpoint}/clew/v1/users")).header("X-Auth-Token", &of_domain)).await;
    record_response("metrics", http().get(format!("{endpoint}/metrics"))).await;
    // The worker logs in to the database with the password.
    let client = home.client(&serving);
    let (instance, node) = (instance.parse().unwrap(), node.parse().unwrap());
    let id = client.start_collection(&instance, &node, &StartCollectionRequest::default()).await.unwrap();
    let status =
        client.wait_for_collection_task(&instance, &node, &id, Duration::from_mins(1), |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    drop(serving);

    let mut contents = responses;
    let export = home.clew().args(["audit", "export", "--data-dir"]).arg(home.dir()).output().unwrap();
    assert!(export.status.success(), "{export:?}");
    contents.push(("audit".to_owned(), export.stdout));
    contents.push(("log".to_owned(), home.log().into_bytes()));
    for (name, folder) in home.storage_dirs() {
        read_files(name, &folder, &mut contents);
    }

    let master_key = fs::read(home.dir().join("master.key")).unwrap();
    contents.retain(|(name, _)| !name.ends_with("master.key"));
    let mut secrets = vec![
        ("password of the administrator", home.credential("password").into_bytes()),
        ("secret key of the administrator", home.credential("secret_key").into_bytes()),
        ("password of a user", text(&bob, "password").into_bytes()),
        ("secret key of a user", text(&key, "secret_key").into_bytes()),
        ("temporary secret key", text(&temporary, "secret_key").into_bytes()),
        ("security token", text(&temporary, "security_token").into_bytes()),
        ("token", token.into_bytes()),
        ("token of the domain", of_domain.into_bytes()),
        ("password of a database", DATABASE_PASSWORD.into()),
        ("mistyped password", MISTYPED.into()),
        ("master key as stored", master_key.trim_ascii().to_vec()),
    ];
    let digits = String::from_utf8_lossy(master_key.trim_ascii()).into_owned();
    let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect();
    secrets.push(("master key as bytes", bytes));
    assert_absent(&contents, &secrets);
    // Positive control: the search finds the literal in a result.
    let is_found = |(_, content): &(String, Vec<u8>)| String::from_utf8_lossy(content).contains(STATEMENT_LITERAL);
    assert!(contents.iter().any(is_found), "the statement is in no result");
    for (part, known) in [
        (backend::METADATA, "planted"),
        ("audit", "CollectRealtimeSession"),
        ("log", "request completed"),
        ("response to users", "bob"),
    ] {
        let found = contents
            .iter()
            .filter(|(name, _)| name.contains(part))
            .any(|(_, content)| String::from_utf8_lossy(content).contains(known));
        assert!(found, "{known} is not in {part}");
    }
}
