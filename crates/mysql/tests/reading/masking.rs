//! Masked snapshots disclose no literal in any SQL mode, and their filter matches none.

use std::net::{Ipv4Addr, SocketAddr};

use clew_model::{NodeUrl, SessionSelection};
use clew_mysql::{SnapshotFormat, SnapshotOptions, take_snapshot};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use rstest::rstest;

use super::connector;

const MASKED: bool = true;
const FULL: bool = false;

/// Text in strings and comments. No part of it occurs elsewhere.
const SECRET: &str = "QJXZKWVB";
const NUMBER: &str = "5308417269";
const EMOJI: &str = "🧵🔑";

/// SQL mode and statement of each session. `{}` is replaced by the sleep function.
const STATEMENTS: [(&str, &str); 12] = [
    ("", "SELECT {}, 'QJXZKWVB' FROM orders WHERE id IN (1, 5308417269)"),
    ("", "SELECT {} /* QJXZKWVB 5308417269 */ FROM orders -- QJXZKWVB"),
    ("", "SELECT {}, '🧵🔑', _utf8mb4'🧵🔑' FROM orders # 🧵🔑"),
    ("", r#"SELECT {}, "QJXZKWVB", 'it\'s', 'QJXZKWVB', "\"", 5308417269 FROM orders"#),
    ("", "SELECT /*! 'QJXZKWVB', */ {}, x'5308417269', -5308417269.5e3 FROM orders"),
    ("", "/*!40101 SELECT {}, 'QJXZKWVB' FROM orders */"),
    ("", "SELECT {}, '会话''QJXZKWVB', '\\\\' FROM orders WHERE note <> 'QJXZKWVB' AND 1 = 1"),
    ("NO_BACKSLASH_ESCAPES", r"SELECT {}, 'C:\', 'QJXZKWVB', note FROM orders WHERE id <> 5308417269"),
    ("NO_BACKSLASH_ESCAPES", r"SELECT {}, 'C:\', note, 'QJXZKWVB' FROM orders"),
    ("ANSI_QUOTES", r#"SELECT {}, "id", 'QJXZKWVB' AS "it's \", 'QJXZKWVB' FROM orders"#),
    ("ANSI_QUOTES,NO_BACKSLASH_ESCAPES", r#"SELECT {}, '\', "id", 'QJXZKWVB' FROM "orders""#),
    ("PIPES_AS_CONCAT", "SELECT {}, 'QJXZKWVB' || 'QJXZKWVB' 'QJXZKWVB' FROM orders"),
];

struct Planted {
    server: DatabaseServer,
    _sessions: Vec<RawSession>,
    count: usize,
}

impl Planted {
    async fn of(flavor: Flavor) -> Self {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        server
            .run_statements(&[
                "CREATE DATABASE shop",
                "CREATE TABLE shop.orders (id INT, note VARCHAR(20))",
                "INSERT INTO shop.orders VALUES (1, 'x')",
            ])
            .await
            .unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let mut statements: Vec<_> = STATEMENTS.map(|(mode, statement)| (mode, statement.to_owned())).into();
        statements.push(("", format!("SELECT {{}}, '{}' FROM orders", SECRET.repeat(128 * 1024))));
        let mut sessions = Vec::new();
        for (mode, statement) in &statements {
            let mut session = RawSession::open(address, "root", Some("shop"), ClientCharset::Utf8mb4).await.unwrap();
            session.execute(&format!("SET sql_mode = '{mode}'")).await.unwrap();
            session.send_statement(statement.replace("{}", "SLEEP(600)").as_bytes()).await.unwrap();
            sessions.push(session);
        }
        let planted = Self { server, _sessions: sessions, count: statements.len() };
        planted.wait_until_all_sleep().await;
        planted
    }

    async fn body(&self, masked: bool, form: SnapshotFormat, sql_key: Option<&str>) -> String {
        let node: NodeUrl = self.server.url().parse().unwrap();
        let selection = SessionSelection {
            command: Some("query".into()),
            sql_key: sql_key.map(ToOwned::to_owned),
            ..SessionSelection::default()
        };
        let options = SnapshotOptions { selection, masked, ..SnapshotOptions::new(form) };
        let snapshot = take_snapshot(&node, &options, &connector()).await;
        let mut body = Vec::new();
        snapshot.unwrap().body.write_to(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    async fn wait_until_all_sleep(&self) {
        for _ in 0..200 {
            let body = self.body(FULL, SnapshotFormat::Json, Some("sleep(600)")).await;
            if body.matches("\"User sleep\"").count() == self.count {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the sessions do not sleep: {:.3000}", self.body(FULL, SnapshotFormat::Json, None).await);
    }
}

/// Finds any four characters of a literal in the body. Ports and transaction ids may have the digits of
/// the number, which is searched in the statements only.
fn planted_in(body: &str, form: SnapshotFormat) -> Option<String> {
    let pieces = |text: &str, length: usize| -> Vec<String> {
        let chars: Vec<_> = text.chars().collect();
        chars.windows(length).map(|piece| piece.iter().collect()).collect()
    };
    let words = [pieces(SECRET, 4), pieces(EMOJI, 1), pieces("会话", 1)].concat();
    let (body, statements) = (body.to_uppercase(), statements(body, form));
    let in_body = words.into_iter().find(|piece| body.contains(piece.as_str()));
    in_body.or_else(|| pieces(NUMBER, 4).into_iter().find(|piece| statements.contains(piece.as_str())))
}

/// Returns the statements of a body.
fn statements(body: &str, form: SnapshotFormat) -> String {
    if matches!(form, SnapshotFormat::Json) {
        let behind = body.split("\"sql_statement\":").skip(1);
        return behind.map(|rest| rest.split("\"state_duration\":").next().unwrap()).collect();
    }
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_bytes());
    rows.records().map(|row| row.unwrap()[6].to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn masked_snapshot_discloses_no_literal(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let planted = Planted::of(flavor).await;
    let csv = SnapshotFormat::Csv { formula_guard: true };
    for form in [csv, SnapshotFormat::Json] {
        let whole = planted.body(FULL, form, None).await;
        assert!(whole.contains(SECRET) && whole.contains(NUMBER) && whole.contains(EMOJI), "nothing was planted");
        let masked = planted.body(MASKED, form, None).await;
        assert!(masked.len() < 10_000 && masked.matches("SELECT ").count() == planted.count, "{masked:.3000}");
        assert_eq!(planted_in(&masked, form), None, "{masked}");
        assert_eq!(statements(&masked, form).matches("SELECT ").count(), planted.count, "{masked}");
        assert!(statements(&whole, form).contains(NUMBER), "nothing was planted");
        assert!(masked.contains("SELECT SLEEP(?), ") || masked.contains("SELECT sleep(?), "), "{masked}");
    }
    for key in [SECRET, "qjxz", NUMBER, "5308", EMOJI, "会话", "600", "C:\\"] {
        assert_ne!(planted.body(FULL, csv, Some(key)).await, "", "{key} was not planted");
        assert_eq!(planted.body(MASKED, csv, Some(key)).await, "", "{key} is found");
    }
    // The filter matches the template. A statement that cannot be parsed safely in every mode has none.
    let rows = |body: String| body.matches("SELECT ").count();
    assert_eq!(rows(planted.body(MASKED, csv, Some("from ORDERS")).await), 8);
    assert_eq!(rows(planted.body(MASKED, csv, Some("sleep(?)")).await), planted.count);
}
