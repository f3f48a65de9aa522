//! Sanitising of server text for terminals: stdout, stderr and JSON.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, RawSession,
};
use rstest::rstest;
use serde_json::Value;
use tokio::process::Command;

use crate::collect::Service;
use crate::pty::pseudo_terminal;
use crate::run::{clew, run};
use crate::tenant::Tenant;

/// Hostile text: sets the terminal title, black text, a C1 clear screen, bidirectional overrides and isolates, invisible characters, DEL.
const HOSTILE: &str = "x\u{1b}]0;p\u{7}\u{1b}[30m\u{9b}2J\u{202e}r\u{2066}\u{61c}\u{200b}\u{7f}\u{2028}y";

/// Hostile text as the error message of a greeting: error 1045, access denied.
const HOSTILE_GREETING: &[u8] =
    b"\x22\0\0\0\xff\x15\x04\x1b]0;p\x07\xc2\x9b2J\xe2\x80\xaer\xe2\x81\xa6\xd8\x9c\xe2\x80\x8b\x7f\nfix: rm";

/// Runs `clew` with a terminal as stdout and stderr. Returns the terminal output.
async fn screen(arguments: &[&str]) -> String {
    let mut command = clew(arguments);
    command.stdin(Stdio::null());
    screen_of(command, |command, terminal| {
        command.stdout(Stdio::from(terminal.try_clone().unwrap())).stderr(Stdio::from(terminal));
    })
    .await
}

/// Runs a command with a terminal that `connect` attaches. Returns the terminal output.
async fn screen_of(mut command: Command, connect: impl FnOnce(&mut Command, File)) -> String {
    let (mut near, far) = pseudo_terminal();
    connect(&mut command, far);
    let mut process = command.spawn().unwrap();
    // Dropping the command closes the far end here, so the read fails when the process exits.
    drop(command);
    let reading = std::thread::spawn(move || {
        let (mut screen, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = near.read(&mut buffer) {
            screen.extend_from_slice(&buffer[..count]);
        }
        screen
    });
    tokio::time::timeout(Duration::from_mins(2), process.wait()).await.unwrap().unwrap();
    let bytes = tokio::task::spawn_blocking(move || reading.join().unwrap()).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Runs a command with a controlling terminal (`/dev/tty`) and without stdout. Returns the terminal output.
async fn controlling_terminal(command: &Command) -> String {
    let command = command.as_std();
    let mut with_terminal = Command::new("setsid");
    with_terminal.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).kill_on_drop(true);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => with_terminal.env(name, value),
            None => with_terminal.env_remove(name),
        };
    }
    screen_of(with_terminal, |command, terminal| {
        command.stdin(Stdio::from(terminal)).stdout(Stdio::null()).stderr(Stdio::null());
    })
    .await
}

/// Asserts that the text has no control or invisible characters, except line breaks, tabs and the colors of `clew`.
fn assert_safe(text: &str, context: &str) {
    let mut rest = text.to_owned();
    for style in ["0", "1", "2", "31", "32", "33", "39", "1;31", "38;5;9", "3"] {
        rest = rest.replace(&format!("\u{1b}[{style}m"), "");
    }
    let found = rest.chars().find(|char| {
        (char.is_control() && !matches!(char, '\r' | '\n' | '\t'))
            || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    });
    assert_eq!(found, None, "{context}: {text:?}");
}

async fn session(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn hostile_text_is_neutralised(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let create = format!("CREATE USER '{HOSTILE}'@'%'");
    let grant = format!("GRANT ALL ON *.* TO '{HOSTILE}'@'%'");
    let table = ["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT)", "INSERT INTO d.t VALUES (1, 1)"];
    server.run_statements(&[&[&*create, &*grant], &table[..]].concat()).await.unwrap();
    let mut hostile = session(&server, HOSTILE).await;
    hostile.send_statement(format!("SELECT SLEEP(600) /* {HOSTILE} */").as_bytes()).await.unwrap();
    let mut blocker = session(&server, "root").await;
    blocker.execute("BEGIN").await.unwrap();
    blocker.execute(&format!("UPDATE d.t SET v = 2 WHERE id = 1 /* {HOSTILE} */")).await.unwrap();
    let mut waiter = session(&server, "root").await;
    let statement = format!("UPDATE d.t SET v = 3 WHERE id = 1 /* {HOSTILE} */");
    waiter.send_statement(statement.as_bytes()).await.unwrap();
    let (url, id) = (server.url(), waiter.id.to_string());
    // Polls until the lock wait is visible.
    let mut locks = run(&["locks", &url, "--format", "json"]).await;
    for _ in 0..40 {
        if locks.stdout.contains("d.t SET v = 3") {
            break;
        }
        // InnoDB refreshes its transaction list only if no reader accessed it for 0.1 s.
        tokio::time::sleep(Duration::from_millis(200)).await;
        locks = run(&["locks", &url, "--format", "json"]).await;
    }
    assert!(locks.stdout.contains("d.t SET v = 3"), "{flavor}: no wait is shown: {locks:?}");

    for arguments in [
        vec!["ps", &url],
        vec!["ps", &url, "--format", "json"],
        vec!["snapshot", &url, "--format", "table"],
        vec!["snapshot", &url, "--format", "csv"],
        vec!["snapshot", &url, "--format", "json"],
        vec!["snapshot", &url, "--format", "table", "--detail"],
        vec!["locks", &url],
        vec!["locks", &url, "--format", "json"],
        vec!["locks", &url, "--format", "dot"],
        vec!["kill", &url, &id, "--dry-run"],
        vec!["kill", &url, &id, "--dry-run", "--format", "json"],
    ] {
        let context = format!("{flavor} {arguments:?}");
        let seen = screen(&arguments).await;
        assert!(seen.contains("d.t SET v = 3") || seen.contains("UPDATE d.t"), "{context}: {seen:?}");
        assert_safe(&seen, &context);
        let piped = run(&arguments).await;
        assert_safe(&piped.stderr, &context);
        if arguments.contains(&"json") {
            assert_safe(&piped.stdout, &context);
            let value: Value = serde_json::from_str(&piped.stdout).unwrap();
            let value = value.to_string();
            assert!(
                value.contains('\u{202e}') && value.contains('\u{9b}'),
                "the value is as the server sent it: {value}"
            );
        }
    }
    // Terminals opened by device path.
    let service = Service::start(&url).await;
    let through_devices = |path: &str| {
        let to_path = |format: &str| clew(&["snapshot", &url, "--format", format, "-o", path]);
        [to_path("table"), to_path("csv"), to_path("json"), service.with_key(&["-o", path])]
    };
    for mut command in through_devices("/dev/stdout") {
        let context = format!("{flavor} {:?}", command.as_std());
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let seen = screen_of(command, |command, terminal| {
            command.stdout(Stdio::from(terminal));
        });
        let seen = seen.await;
        assert!(seen.contains("UPDATE d.t"), "{context}: {seen:?}");
        assert_safe(&seen, &context);
    }
    for command in through_devices("/dev/tty") {
        let context = format!("{flavor} {:?}", command.as_std());
        let seen = controlling_terminal(&command).await;
        assert!(seen.contains("UPDATE d.t"), "{context}: {seen:?}");
        assert_safe(&seen, &context);
    }
    let doctor = server.url_for_account(&urlencoding(HOSTILE), "");
    for arguments in [vec!["doctor", &doctor], vec!["doctor", &doctor, "--format", "json"]] {
        let seen = screen(&arguments).await;
        assert!(seen.contains("]0;p"), "the account is shown: {seen:?}");
        assert_safe(&seen, &format!("{flavor} {arguments:?}"));
    }
}

fn urlencoding(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

#[tokio::test]
async fn server_error_text_is_sanitized_and_cannot_forge_a_fix() {
    let fake = FakeServer::start(FakeServerOptions {
        sessions: 0,
        transactions: 0,
        fault: Fault::RawGreeting(HOSTILE_GREETING),
    });
    let fake = fake.await.unwrap();
    for arguments in [vec!["ps", &*fake.url()], vec!["doctor", &fake.url()], vec!["locks", &fake.url()]] {
        let seen = run(&arguments).await;
        assert!(seen.code == Some(1) && seen.stderr.contains("]0;p"), "the server's words are shown: {seen:?}");
        assert_safe(&seen.stderr, &format!("{arguments:?}"));
        assert!(!seen.stderr.contains("\nfix:"), "{seen:?}");
        assert_safe(&screen(&arguments).await, &format!("{arguments:?}"));
    }
    // The stored reason of the login backoff is shown too.
    let tenant = Tenant::new().await;
    tenant.run_ok(&["instance", "add", "--name", "shop", "--node", &fake.url()]).await;
    for format in ["table", "json"] {
        let seen = tenant.run(&["instance", "check", "shop", "--format", format]).await;
        assert!(seen.code == Some(1) && seen.stdout.matches("]0;p").count() == 2, "both show it: {seen:?}");
        assert_safe(&seen.stdout, format);
        assert!(!seen.stdout.contains("\nfix:"), "{seen:?}");
    }
}
