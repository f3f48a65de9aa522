//! Nothing that Clew keeps, logs, counts or answers has a secret in clear.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clew_client::{CollectionStatus, SelectionRequest};
use clew_testkit::{Charset, Flavor, RawSession, Server, ServerOptions};
use serde_json::{Value, json};

use crate::harness::{CLEW, Home, http};
use crate::place;

/// A password of a watched database, which only the command line and the worker may know.
const OF_DATABASE: &str = "planted-password-of-the-database";
/// What somebody mistypes: a wrong password is almost a right one.
const MISTYPED: &str = "planted-password-with-a-slip";
/// A literal of a statement that somebody looks for.
const LITERAL: &str = "planted-literal-4929";
/// A literal of a statement that a session runs.
const OF_STATEMENT: &str = "planted-statement-5713";

/// Runs `clew` on the data directory, and reads what it answers as JSON.
fn clew(home: &Home, arguments: &[&str]) -> Value {
    let output = home
        .clew()
        .args(arguments)
        .args(["--format", "json", "--data-dir"])
        .arg(home.dir())
        .env("CLEW_DB_PASSWORD", OF_DATABASE)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Every file below a folder, with its name and one of the folder.
fn files(of: &str, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(of, &path, found);
        } else if path.is_file() {
            found.push((format!("{of}: {}", path.display()), fs::read(&path).unwrap()));
        }
    }
}

/// Fails where a secret stands in one of the places, or a literal where it is not needed.
fn assert_absent(places: &[(String, Vec<u8>)], secrets: &[(&str, Vec<u8>)]) {
    for (name, content) in places {
        let has = |secret: &[u8]| content.windows(secret.len()).any(|window| window == secret);
        for (secret, bytes) in secrets {
            assert!(bytes.len() >= 12 && !has(bytes), "{secret} stands in {name}");
        }
        // A task keeps its filter; no other place may contain it.
        assert!(!has(LITERAL.as_bytes()) || name.contains(place::METADATA), "the literal stands in {name}");
        // Results hold statements.
        let is_result = name.contains("/results/") || name.starts_with("S3");
        assert!(!has(OF_STATEMENT.as_bytes()) || is_result, "a statement stands in {name}");
    }
}

#[tokio::test]
async fn no_secret_is_kept_logged_counted_or_answered_in_clear() {
    let server = Server::start(Flavor::MariaDb, &ServerOptions::default()).await.unwrap();
    let account = format!("CREATE USER clew@'%' IDENTIFIED BY '{OF_DATABASE}'");
    server.run(&[&account, "GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, "root", None, Charset::Utf8mb4).await.unwrap();
    session.begin(format!("SELECT SLEEP(600), '{OF_STATEMENT}'").as_bytes()).await.unwrap();
    let home = Home::new().await;
    let url = format!("mysql://clew@127.0.0.1:{}/", server.port());
    let added = clew(&home, &["instance", "add", "--name", "planted", "--node", &url]);
    let (instance, node) = (text(&added, "instance_id"), text(&added["nodes"][0], "id"));
    let bob = clew(&home, &["user", "create", "bob"]);
    let key = clew(&home, &["key", "create", "bob"]);
    let temporary = clew(&home, &["key", "create", "bob", "--temporary", "15m"]);

    let serving = home
        .serve_by(|| {
            let mut command = Command::new(CLEW);
            command.env("CLEW_LOG", "debug");
            command
        })
        .await;
    let (endpoint, project) = (&serving.endpoint, home.credential("project_id"));
    let token = home.token(endpoint).await;
    let mut answers = Vec::new();
    let mut keep = async |name: &str, request: reqwest::RequestBuilder| {
        let mut response = request.send().await.unwrap();
        // Validation of a token answers with the token that it was asked about (spec section 3.2).
        response.headers_mut().remove("x-subject-token");
        let seen = format!("{:?} {:?} ", response.status(), response.headers());
        answers.push((
            format!("answer to {name}"),
            [seen.into_bytes(), response.bytes().await.unwrap().to_vec()].concat(),
        ));
    };
    let sign_in = |password: &str| {
        let domain = json!({ "name": home.credential("domain_name") });
        let password = json!({ "user": { "name": "bob", "password": password, "domain": domain } });
        json!({ "auth": { "identity": { "methods": ["password"], "password": password } } })
    };
    let tokens = format!("{endpoint}/v3/auth/tokens");
    keep("a wrong password", http().post(&tokens).json(&sign_in(MISTYPED))).await;
    keep("a broken body", http().post(&tokens).body(format!("{{\"password\": \"{MISTYPED}\""))).await;
    keep("validation", http().get(&tokens).header("X-Auth-Token", &token).header("X-Subject-Token", &token)).await;
    keep("a strange token", http().get(&tokens).header("X-Auth-Token", MISTYPED)).await;
    let signature =
        format!("SDK-HMAC-SHA256 Access={}, SignedHeaders=host;x-sdk-date, Signature=00", text(&key, "access_key"));
    keep("a wrong signature", http().get(&tokens).header("Authorization", signature)).await;
    let sessions = format!("{endpoint}/v3/{project}/instances/{instance}/nodes/{node}/realtime-session");
    let collect =
        http().post(&sessions).header("X-Auth-Token", &token).json(&json!({ "sql_key": format!("'{LITERAL}'") }));
    keep("collect", collect).await;
    let of_domain = home.domain_token(endpoint).await;
    keep("users", http().get(format!("{endpoint}/clew/v1/users")).header("X-Auth-Token", &of_domain)).await;
    keep("metrics", http().get(format!("{endpoint}/metrics"))).await;
    // The worker signs in with the password.
    let client = home.client(&serving);
    let (instance, node) = (instance.parse().unwrap(), node.parse().unwrap());
    let id = client.collect(&instance, &node, &SelectionRequest::default()).await.unwrap();
    let status = client.wait(&instance, &node, &id, Duration::from_mins(1), |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    drop(serving);

    let mut places = answers;
    let export = home.clew().args(["audit", "export", "--data-dir"]).arg(home.dir()).output().unwrap();
    assert!(export.status.success(), "{export:?}");
    places.push(("audit".to_owned(), export.stdout));
    places.push(("log".to_owned(), home.log().into_bytes()));
    for (name, folder) in home.kept() {
        files(name, &folder, &mut places);
    }

    let master_key = fs::read(home.dir().join("master.key")).unwrap();
    places.retain(|(name, _)| !name.ends_with("master.key"));
    let mut secrets = vec![
        ("password of the administrator", home.credential("password").into_bytes()),
        ("secret key of the administrator", home.credential("secret_key").into_bytes()),
        ("password of a user", text(&bob, "password").into_bytes()),
        ("secret key of a user", text(&key, "secret_key").into_bytes()),
        ("temporary secret key", text(&temporary, "secret_key").into_bytes()),
        ("security token", text(&temporary, "security_token").into_bytes()),
        ("token", token.into_bytes()),
        ("token of the domain", of_domain.into_bytes()),
        ("password of a database", OF_DATABASE.into()),
        ("mistyped password", MISTYPED.into()),
        ("master key as it is kept", master_key.trim_ascii().to_vec()),
    ];
    let digits = String::from_utf8_lossy(master_key.trim_ascii()).into_owned();
    let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect();
    secrets.push(("master key as bytes", bytes));
    assert_absent(&places, &secrets);
    // The search finds what is there.
    let is_found = |(_, content): &(String, Vec<u8>)| String::from_utf8_lossy(content).contains(OF_STATEMENT);
    assert!(places.iter().any(is_found), "the statement is in no result");
    for (part, known) in [
        (place::METADATA, "planted"),
        ("audit", "CollectRealtimeSession"),
        ("log", "answered"),
        ("answer to users", "bob"),
    ] {
        let found = places
            .iter()
            .filter(|(name, _)| name.contains(part))
            .any(|(_, content)| String::from_utf8_lossy(content).contains(known));
        assert!(found, "{known} is not in {part}");
    }
}
