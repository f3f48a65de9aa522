//! Defines the SQL statements and transactions of the sixty predefined test sessions.

use crate::flavor::Flavor;
use crate::predefined_sessions::ExpectedTransaction;
use crate::raw_session::ClientCharset;

#[derive(Debug, Clone)]
pub(super) struct RunningStatement {
    pub(super) sent: Vec<u8>,
    /// Expected statement text in the process list, as read over a UTF-8 connection.
    pub(super) expected: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct SessionDefinition {
    pub(super) is_old: bool,
    pub(super) user: &'static str,
    pub(super) database: Option<&'static str>,
    pub(super) ipv6: bool,
    pub(super) charset: ClientCharset,
    pub(super) before: &'static [&'static str],
    pub(super) statement: Option<RunningStatement>,
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

/// Some names require escaping in CSV files.
pub(super) const USER_NAMES: [&str; 10] =
    ["app", "reader", "=cmd", "+sum", "-dash", "@at", "o'brien", "comma,user", "quo\"te", "用户"];

impl SessionDefinition {
    fn new_idle(user: &'static str, database: Option<&'static str>) -> Self {
        Self {
            is_old: true,
            user,
            database,
            ipv6: false,
            charset: ClientCharset::Utf8mb4,
            before: &[],
            statement: None,
            state: "",
            transaction: None,
        }
    }

    fn with_recent_start_time(self) -> Self {
        Self { is_old: false, ..self }
    }

    fn with_ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    fn with_open_transaction(self, before: &'static [&'static str], rows_modified: u64) -> Self {
        let transaction = Some(ExpectedTransaction { state: "RUNNING", rows_modified });
        Self { before, transaction, ..self }
    }

    fn with_statement(self, statement: &str) -> Self {
        self.with_raw_statement(statement.as_bytes(), statement.as_bytes())
    }

    fn with_raw_statement(self, sent: &[u8], expected: &[u8]) -> Self {
        let statement = Some(RunningStatement { sent: sent.to_vec(), expected: expected.to_vec() });
        Self { statement, state: "User sleep", ..self }
    }

    fn with_sleep_statement(self, comment: &str) -> Self {
        self.with_statement(&format!("SELECT SLEEP(100000) /* {comment} */"))
    }

    fn with_row_lock_wait(self, statement: &str, state: &'static str) -> Self {
        let before = &[
            "SET SESSION innodb_lock_wait_timeout = 100000",
            "START TRANSACTION",
            "INSERT INTO u VALUES (CONNECTION_ID(), 1), (CONNECTION_ID(), 2)",
        ];
        let transaction = Some(ExpectedTransaction { state: "LOCK WAIT", rows_modified: 2 });
        Self { state, ..Self { before, transaction, ..self }.with_statement(statement) }
    }
}

fn define_session_with_charset(charset: ClientCharset, sent: &[u8], expected: &[u8]) -> SessionDefinition {
    let comment = |text| [b"SELECT SLEEP(100000) /* ".as_slice(), text, b" */"].concat();
    SessionDefinition { charset, ..SessionDefinition::new_idle("app", None) }
        .with_raw_statement(&comment(sent), &comment(expected))
}

pub(super) fn define_all_sessions(flavor: Flavor) -> Vec<SessionDefinition> {
    let shop = || SessionDefinition::new_idle("app", Some("shop"));
    let mut definitions: Vec<SessionDefinition> =
        USER_NAMES.iter().map(|&user| SessionDefinition::new_idle(user, None)).collect();
    definitions.extend([
        SessionDefinition::new_idle("reader", Some("shop")),
        SessionDefinition::new_idle("reader", Some("会话库")),
        SessionDefinition::new_idle("reader", Some("a,b \"c\"")),
        SessionDefinition::new_idle("app", None).with_ipv6(),
        SessionDefinition::new_idle("reader", Some("shop")).with_ipv6(),
    ]);
    definitions.extend(define_sessions_with_transactions(flavor, shop));
    definitions.extend(define_sessions_with_running_statements(flavor));
    definitions.extend([
        SessionDefinition::new_idle("app", None).with_recent_start_time(),
        SessionDefinition::new_idle("reader", None).with_recent_start_time(),
        shop()
            .with_recent_start_time()
            .with_open_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 401 AND 404"], 4),
        SessionDefinition::new_idle("app", None).with_recent_start_time().with_sleep_statement("young"),
        SessionDefinition::new_idle("reader", Some("shop")).with_recent_start_time().with_sleep_statement("young, too"),
        SessionDefinition::new_idle("app", None)
            .with_recent_start_time()
            .with_ipv6()
            .with_sleep_statement("young, from ::1"),
    ]);
    definitions
}

fn define_sessions_with_transactions(flavor: Flavor, shop: impl Fn() -> SessionDefinition) -> Vec<SessionDefinition> {
    let (update_state, read_state) = match flavor {
        Flavor::MariaDb => ("Updating", "Statistics"),
        Flavor::MySql => ("updating", "statistics"),
    };
    vec![
        shop().with_open_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 1 AND 10"], 10),
        shop().with_open_transaction(
            &["START TRANSACTION", "INSERT INTO t VALUES (1001, 1), (1002, 2), (1003, 3), (1004, 4), (1005, 5)"],
            5,
        ),
        shop().with_open_transaction(&["START TRANSACTION", "SELECT * FROM t WHERE id IN (21, 22, 23) FOR UPDATE"], 0),
        shop().with_open_transaction(&["START TRANSACTION READ ONLY", "SELECT COUNT(*) FROM t"], 0),
        shop().with_open_transaction(&["START TRANSACTION WITH CONSISTENT SNAPSHOT", "SELECT COUNT(*) FROM t"], 0),
        shop()
            .with_open_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 101 AND 300"], 200),
        shop()
            .with_open_transaction(&["START TRANSACTION", "DELETE FROM t WHERE id BETWEEN 31 AND 33"], 3)
            .with_sleep_statement("at work"),
        shop().with_row_lock_wait("UPDATE t SET v = 1 WHERE id = 1", update_state),
        shop().with_row_lock_wait("DELETE FROM t\r\nWHERE id = 2 -- \"waits\", too", update_state),
        shop().with_row_lock_wait("SELECT v FROM t WHERE id = 3 FOR UPDATE", read_state),
    ]
}

fn define_sessions_with_running_statements(flavor: Flavor) -> Vec<SessionDefinition> {
    let app = || SessionDefinition::new_idle("app", None);
    let large = |bytes: usize| app().with_sleep_statement(&"0123456789abcdef".repeat(bytes / 16));
    let nul = b"SELECT SLEEP(100000) /* before\0after */";
    let invalid_utf8 = b"SELECT SLEEP(100000) /* \xff\xfe caf\xe9 \xc3 */";
    vec![
        app().with_sleep_statement("a, b,, c,"),
        app().with_sleep_statement("\"quoted\" \"\" and 'single'"),
        app().with_sleep_statement("line\r\nline\nline\rline"),
        app().with_sleep_statement("tab\ttab\t\ttab"),
        app().with_sleep_statement("🧵🔥 e\u{301}"),
        app().with_sleep_statement("会话诊断，锁等待"),
        // In the last two characters, the second byte is a backslash.
        define_session_with_charset(
            ClientCharset::Gbk,
            b"\xbb\xe1\xbb\xb0\xd5\xef\xb6\xcf \xd5\x5c\xdf\x5c",
            "会话诊断 誠運".as_bytes(),
        ),
        define_session_with_charset(ClientCharset::Latin1, b"M\xfcnchen \xa9 \x80", "München © €".as_bytes()),
        // The character set cannot encode the emoji, so the server replaces each of its bytes with a question mark.
        define_session_with_charset(ClientCharset::Utf8mb3, "会话 🧵.".as_bytes(), "会话 ????.".as_bytes()),
        define_session_with_charset(ClientCharset::Binary, b"\x89PNG \xe4\xbc\x9a \xe9", b"\x89PNG \xe4\xbc\x9a \xe9"),
        app().with_raw_statement(invalid_utf8, invalid_utf8),
        match flavor {
            // MySQL executes the complete statement but truncates the displayed statement at the NUL byte.
            Flavor::MySql => app().with_raw_statement(nul, b"SELECT SLEEP(100000) /* before"),
            Flavor::MariaDb => app().with_raw_statement(nul, nul),
        },
        large(1 << 20),
        large(8 << 20),
        app().with_statement("-- a formula?\nSELECT SLEEP(100000)"),
        // Both servers remove whitespace at the start of a statement, and whitespace and semicolons at its end.
        app().with_raw_statement(b"\r\n\t DO SLEEP(100000) ;;\r\n", b"DO SLEEP(100000)"),
        app().with_sleep_statement("back\\slash \\x00 \\"),
        app().with_sleep_statement("=1+1 @SUM(A1) -2 +3"),
        app().with_sleep_statement(&"\"\r\n".repeat(2000)),
        app().with_statement("SELECT SLEEP(100000), '=cmd|'' /C calc''!A0'"),
        SessionDefinition::new_idle("=cmd", Some("=evil")).with_sleep_statement("user and database"),
        SessionDefinition::new_idle("+sum", Some("a,b \"c\"")).with_sleep_statement("user and database"),
        SessionDefinition::new_idle("-dash", None).with_sleep_statement("user"),
        SessionDefinition::new_idle("@at", None).with_sleep_statement("user"),
        SessionDefinition::new_idle("comma,user", Some("shop")).with_sleep_statement("user"),
        SessionDefinition::new_idle("quo\"te", None).with_sleep_statement("user"),
        SessionDefinition::new_idle("用户", Some("会话库")).with_sleep_statement("用户"),
        SessionDefinition::new_idle("o'brien", None).with_sleep_statement("user"),
        app().with_ipv6().with_sleep_statement("from ::1"),
    ]
}
