//! Definitions of the sixty sessions.

use crate::flavor::Flavor;
use crate::known_sessions::ExpectedTransaction;
use crate::raw_client::Charset;

/// Opening time of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Old,
    Young,
}

/// A statement that runs until its session ends.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sent: Vec<u8>,
    pub(super) expected: ExpectedText,
}

/// Statement in the process list on a UTF-8 connection.
#[derive(Debug, Clone)]
pub(super) enum ExpectedText {
    AsSent,
    Bytes(Vec<u8>),
}

/// Definition of a session.
#[derive(Debug, Clone)]
pub(super) struct SessionDefinition {
    pub(super) age: Age,
    pub(super) user: &'static str,
    pub(super) database: Option<&'static str>,
    pub(super) ipv6: bool,
    pub(super) charset: Charset,
    /// Statements that run to their end first.
    pub(super) before: &'static [&'static str],
    pub(super) statement: Option<Statement>,
    pub(super) state: &'static str,
    pub(super) transaction: Option<ExpectedTransaction>,
}

pub(super) const SETUP_STATEMENTS: [&str; 7] = [
    "CREATE DATABASE shop",
    "CREATE DATABASE `=evil`",
    "CREATE DATABASE `会话库`",
    "CREATE DATABASE `a,b \"c\"`",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = InnoDB",
    "CREATE TABLE shop.u (session BIGINT NOT NULL, n INT NOT NULL, PRIMARY KEY (session, n)) ENGINE = InnoDB",
    "INSERT INTO shop.t SELECT 100 * a.n + 10 * b.n + c.n + 1, 0 FROM \
     (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) a, \
     (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 \
      UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) b, \
     (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 \
      UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) c",
];

/// Account names, including names that need escaping.
pub(super) const USERS: [&str; 10] =
    ["app", "reader", "=cmd", "+sum", "-dash", "@at", "o'brien", "comma,user", "quo\"te", "用户"];

impl SessionDefinition {
    fn idle(user: &'static str, database: Option<&'static str>) -> Self {
        Self {
            age: Age::Old,
            user,
            database,
            ipv6: false,
            charset: Charset::Utf8mb4,
            before: &[],
            statement: None,
            state: "",
            transaction: None,
        }
    }

    fn opened_later(self) -> Self {
        Self { age: Age::Young, ..self }
    }

    fn over_ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    fn in_transaction(self, before: &'static [&'static str], rows_modified: u64) -> Self {
        let transaction = Some(ExpectedTransaction { state: "RUNNING", rows_modified });
        Self { before, transaction, ..self }
    }

    fn with_statement(self, statement: &str) -> Self {
        self.with_raw_statement(statement.as_bytes().to_vec(), ExpectedText::AsSent)
    }

    fn with_raw_statement(self, sent: Vec<u8>, expected: ExpectedText) -> Self {
        Self { statement: Some(Statement { sent, expected }), state: "User sleep", ..self }
    }

    /// Runs a sleep with this text in a comment.
    fn sleeping_with_comment(self, comment: &str) -> Self {
        self.with_statement(&format!("SELECT SLEEP(100000) /* {comment} */"))
    }

    /// Modifies two rows, then waits for a row lock of another transaction.
    fn waiting_for_row(self, statement: &str, state: &'static str) -> Self {
        let before = &[
            "SET SESSION innodb_lock_wait_timeout = 100000",
            "START TRANSACTION",
            "INSERT INTO u VALUES (CONNECTION_ID(), 1), (CONNECTION_ID(), 2)",
        ];
        let transaction = Some(ExpectedTransaction { state: "LOCK WAIT", rows_modified: 2 });
        Self { state, ..Self { before, transaction, ..self }.with_statement(statement) }
    }
}

/// Defines a session with a comment in another character set: the sent bytes and the expected bytes.
fn in_charset(charset: Charset, sent: &[u8], expected: &[u8]) -> SessionDefinition {
    let comment = |text| [b"SELECT SLEEP(100000) /* ".as_slice(), text, b" */"].concat();
    SessionDefinition { charset, ..SessionDefinition::idle("app", None) }
        .with_raw_statement(comment(sent), ExpectedText::Bytes(comment(expected)))
}

/// Returns the definitions of all sessions.
pub(super) fn all(flavor: Flavor) -> Vec<SessionDefinition> {
    let shop = || SessionDefinition::idle("app", Some("shop"));
    let mut definitions: Vec<SessionDefinition> =
        USERS.iter().map(|&user| SessionDefinition::idle(user, None)).collect();
    definitions.extend([
        SessionDefinition::idle("reader", Some("shop")),
        SessionDefinition::idle("reader", Some("会话库")),
        SessionDefinition::idle("reader", Some("a,b \"c\"")),
        SessionDefinition::idle("app", None).over_ipv6(),
        SessionDefinition::idle("reader", Some("shop")).over_ipv6(),
    ]);
    definitions.extend(transactions(flavor, shop));
    definitions.extend(statements(flavor));
    definitions.extend([
        SessionDefinition::idle("app", None).opened_later(),
        SessionDefinition::idle("reader", None).opened_later(),
        shop()
            .opened_later()
            .in_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 401 AND 404"], 4),
        SessionDefinition::idle("app", None).opened_later().sleeping_with_comment("young"),
        SessionDefinition::idle("reader", Some("shop")).opened_later().sleeping_with_comment("young, too"),
        SessionDefinition::idle("app", None).opened_later().over_ipv6().sleeping_with_comment("young, from ::1"),
    ]);
    definitions
}

fn transactions(flavor: Flavor, shop: impl Fn() -> SessionDefinition) -> Vec<SessionDefinition> {
    let (update_state, read_state) = match flavor {
        Flavor::MariaDb => ("Updating", "Statistics"),
        Flavor::MySql => ("updating", "statistics"),
    };
    vec![
        shop().in_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 1 AND 10"], 10),
        shop().in_transaction(
            &["START TRANSACTION", "INSERT INTO t VALUES (1001, 1), (1002, 2), (1003, 3), (1004, 4), (1005, 5)"],
            5,
        ),
        shop().in_transaction(&["START TRANSACTION", "SELECT * FROM t WHERE id IN (21, 22, 23) FOR UPDATE"], 0),
        shop().in_transaction(&["START TRANSACTION READ ONLY", "SELECT COUNT(*) FROM t"], 0),
        shop().in_transaction(&["START TRANSACTION WITH CONSISTENT SNAPSHOT", "SELECT COUNT(*) FROM t"], 0),
        shop().in_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 101 AND 300"], 200),
        shop()
            .in_transaction(&["START TRANSACTION", "DELETE FROM t WHERE id BETWEEN 31 AND 33"], 3)
            .sleeping_with_comment("at work"),
        shop().waiting_for_row("UPDATE t SET v = 1 WHERE id = 1", update_state),
        shop().waiting_for_row("DELETE FROM t\r\nWHERE id = 2 -- \"waits\", too", update_state),
        shop().waiting_for_row("SELECT v FROM t WHERE id = 3 FOR UPDATE", read_state),
    ]
}

fn statements(flavor: Flavor) -> Vec<SessionDefinition> {
    let app = || SessionDefinition::idle("app", None);
    let large = |bytes: usize| app().sleeping_with_comment(&"0123456789abcdef".repeat(bytes / 16));
    let nul = b"SELECT SLEEP(100000) /* before\0after */".to_vec();
    vec![
        app().sleeping_with_comment("a, b,, c,"),
        app().sleeping_with_comment("\"quoted\" \"\" and 'single'"),
        app().sleeping_with_comment("line\r\nline\nline\rline"),
        app().sleeping_with_comment("tab\ttab\t\ttab"),
        app().sleeping_with_comment("🧵🔥 e\u{301}"),
        app().sleeping_with_comment("会话诊断，锁等待"),
        // The second byte of the last two characters is a backslash.
        in_charset(Charset::Gbk, b"\xbb\xe1\xbb\xb0\xd5\xef\xb6\xcf \xd5\x5c\xdf\x5c", "会话诊断 誠運".as_bytes()),
        in_charset(Charset::Latin1, b"M\xfcnchen \xa9 \x80", "München © €".as_bytes()),
        // The character set cannot encode the emoji, so the server replaces each byte by a question mark.
        in_charset(Charset::Utf8mb3, "会话 🧵.".as_bytes(), "会话 ????.".as_bytes()),
        in_charset(Charset::Binary, b"\x89PNG \xe4\xbc\x9a \xe9", b"\x89PNG \xe4\xbc\x9a \xe9"),
        app().with_raw_statement(b"SELECT SLEEP(100000) /* \xff\xfe caf\xe9 \xc3 */".to_vec(), ExpectedText::AsSent),
        match flavor {
            // MySQL parses the whole statement but shows it only up to the NUL byte.
            Flavor::MySql => {
                app().with_raw_statement(nul, ExpectedText::Bytes(b"SELECT SLEEP(100000) /* before".to_vec()))
            }
            Flavor::MariaDb => app().with_raw_statement(nul, ExpectedText::AsSent),
        },
        large(1 << 20),
        large(8 << 20),
        app().with_statement("-- a formula?\nSELECT SLEEP(100000)"),
        // Both servers trim whitespace and semicolons around a statement.
        app().with_raw_statement(
            b"\r\n\t DO SLEEP(100000) ;;\r\n".to_vec(),
            ExpectedText::Bytes(b"DO SLEEP(100000)".to_vec()),
        ),
        app().sleeping_with_comment("back\\slash \\x00 \\"),
        app().sleeping_with_comment("=1+1 @SUM(A1) -2 +3"),
        app().sleeping_with_comment(&"\"\r\n".repeat(2000)),
        app().with_statement("SELECT SLEEP(100000), '=cmd|'' /C calc''!A0'"),
        SessionDefinition::idle("=cmd", Some("=evil")).sleeping_with_comment("user and database"),
        SessionDefinition::idle("+sum", Some("a,b \"c\"")).sleeping_with_comment("user and database"),
        SessionDefinition::idle("-dash", None).sleeping_with_comment("user"),
        SessionDefinition::idle("@at", None).sleeping_with_comment("user"),
        SessionDefinition::idle("comma,user", Some("shop")).sleeping_with_comment("user"),
        SessionDefinition::idle("quo\"te", None).sleeping_with_comment("user"),
        SessionDefinition::idle("用户", Some("会话库")).sleeping_with_comment("用户"),
        SessionDefinition::idle("o'brien", None).sleeping_with_comment("user"),
        app().over_ipv6().sleeping_with_comment("from ::1"),
    ]
}
