//! Who the sixty are.

use crate::flavor::Flavor;
use crate::odd::ExpectedTransaction;
use crate::wire::Charset;

/// When a session is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Old,
    Young,
}

/// A statement that runs until its session ends.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sent: Vec<u8>,
    pub(super) shown: Shown,
}

/// How the server shows a statement on a UTF-8 connection.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    AsSent,
    As(Vec<u8>),
}

/// One of the sixty.
#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) age: Age,
    pub(super) user: &'static str,
    pub(super) database: Option<&'static str>,
    pub(super) ipv6: bool,
    pub(super) charset: Charset,
    /// Statements that are run to their end first.
    pub(super) before: &'static [&'static str],
    pub(super) statement: Option<Statement>,
    pub(super) state: &'static str,
    pub(super) transaction: Option<ExpectedTransaction>,
}

pub(super) const SET_UP: [&str; 7] = [
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

/// Accounts, odd ones among them.
pub(super) const USERS: [&str; 10] =
    ["app", "reader", "=cmd", "+sum", "-dash", "@at", "o'brien", "comma,user", "quo\"te", "用户"];

impl Role {
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

    fn young(self) -> Self {
        Self { age: Age::Young, ..self }
    }

    fn over_ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    fn in_transaction(self, before: &'static [&'static str], rows_modified: u64) -> Self {
        let transaction = Some(ExpectedTransaction { state: "RUNNING", rows_modified });
        Self { before, transaction, ..self }
    }

    fn saying(self, statement: &str) -> Self {
        self.sending(statement.as_bytes().to_vec(), Shown::AsSent)
    }

    fn sending(self, sent: Vec<u8>, shown: Shown) -> Self {
        Self { statement: Some(Statement { sent, shown }), state: "User sleep", ..self }
    }

    /// Sleeps with this text in a comment.
    fn sleeping(self, comment: &str) -> Self {
        self.saying(&format!("SELECT SLEEP(100000) /* {comment} */"))
    }

    /// Waits for a row that another transaction has locked, after two changes of its own.
    fn waiting(self, statement: &str, state: &'static str) -> Self {
        let before = &[
            "SET SESSION innodb_lock_wait_timeout = 100000",
            "START TRANSACTION",
            "INSERT INTO u VALUES (CONNECTION_ID(), 1), (CONNECTION_ID(), 2)",
        ];
        let transaction = Some(ExpectedTransaction { state: "LOCK WAIT", rows_modified: 2 });
        Self { state, ..Self { before, transaction, ..self }.saying(statement) }
    }
}

/// Text of another character set inside a comment: what is sent, and what must come out.
fn foreign(charset: Charset, sent: &[u8], shown: &[u8]) -> Role {
    let comment = |text| [b"SELECT SLEEP(100000) /* ".as_slice(), text, b" */"].concat();
    Role { charset, ..Role::idle("app", None) }.sending(comment(sent), Shown::As(comment(shown)))
}

/// All sixty.
pub(super) fn all(flavor: Flavor) -> Vec<Role> {
    let shop = || Role::idle("app", Some("shop"));
    let mut cast: Vec<Role> = USERS.iter().map(|&user| Role::idle(user, None)).collect();
    cast.extend([
        Role::idle("reader", Some("shop")),
        Role::idle("reader", Some("会话库")),
        Role::idle("reader", Some("a,b \"c\"")),
        Role::idle("app", None).over_ipv6(),
        Role::idle("reader", Some("shop")).over_ipv6(),
    ]);
    cast.extend(transactions(flavor, shop));
    cast.extend(statements(flavor));
    cast.extend([
        Role::idle("app", None).young(),
        Role::idle("reader", None).young(),
        shop().young().in_transaction(&["START TRANSACTION", "UPDATE t SET v = v + 1 WHERE id BETWEEN 401 AND 404"], 4),
        Role::idle("app", None).young().sleeping("young"),
        Role::idle("reader", Some("shop")).young().sleeping("young, too"),
        Role::idle("app", None).young().over_ipv6().sleeping("young, from ::1"),
    ]);
    cast
}

fn transactions(flavor: Flavor, shop: impl Fn() -> Role) -> Vec<Role> {
    let (writing, looking) = match flavor {
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
            .sleeping("at work"),
        shop().waiting("UPDATE t SET v = 1 WHERE id = 1", writing),
        shop().waiting("DELETE FROM t\r\nWHERE id = 2 -- \"waits\", too", writing),
        shop().waiting("SELECT v FROM t WHERE id = 3 FOR UPDATE", looking),
    ]
}

fn statements(flavor: Flavor) -> Vec<Role> {
    let app = || Role::idle("app", None);
    let large = |bytes: usize| app().sleeping(&"0123456789abcdef".repeat(bytes / 16));
    let nul = b"SELECT SLEEP(100000) /* before\0after */".to_vec();
    vec![
        app().sleeping("a, b,, c,"),
        app().sleeping("\"quoted\" \"\" and 'single'"),
        app().sleeping("line\r\nline\nline\rline"),
        app().sleeping("tab\ttab\t\ttab"),
        app().sleeping("🧵🔥 e\u{301}"),
        app().sleeping("会话诊断，锁等待"),
        // The last two end with the byte of a backslash.
        foreign(Charset::Gbk, b"\xbb\xe1\xbb\xb0\xd5\xef\xb6\xcf \xd5\x5c\xdf\x5c", "会话诊断 誠運".as_bytes()),
        foreign(Charset::Latin1, b"M\xfcnchen \xa9 \x80", "München © €".as_bytes()),
        // Where a client says that it cannot send an emoji and does, the server makes a question mark of each byte.
        foreign(Charset::Utf8mb3, "会话 🧵.".as_bytes(), "会话 ????.".as_bytes()),
        foreign(Charset::Binary, b"\x89PNG \xe4\xbc\x9a \xe9", b"\x89PNG \xe4\xbc\x9a \xe9"),
        app().sending(b"SELECT SLEEP(100000) /* \xff\xfe caf\xe9 \xc3 */".to_vec(), Shown::AsSent),
        match flavor {
            // It parses the whole statement, but shows it up to the NUL byte.
            Flavor::MySql => app().sending(nul, Shown::As(b"SELECT SLEEP(100000) /* before".to_vec())),
            Flavor::MariaDb => app().sending(nul, Shown::AsSent),
        },
        large(1 << 20),
        large(8 << 20),
        app().saying("-- a formula?\nSELECT SLEEP(100000)"),
        // Blanks and semicolons around a statement are cut off by both servers.
        app().sending(b"\r\n\t DO SLEEP(100000) ;;\r\n".to_vec(), Shown::As(b"DO SLEEP(100000)".to_vec())),
        app().sleeping("back\\slash \\x00 \\"),
        app().sleeping("=1+1 @SUM(A1) -2 +3"),
        app().sleeping(&"\"\r\n".repeat(2000)),
        app().saying("SELECT SLEEP(100000), '=cmd|'' /C calc''!A0'"),
        Role::idle("=cmd", Some("=evil")).sleeping("user and database"),
        Role::idle("+sum", Some("a,b \"c\"")).sleeping("user and database"),
        Role::idle("-dash", None).sleeping("user"),
        Role::idle("@at", None).sleeping("user"),
        Role::idle("comma,user", Some("shop")).sleeping("user"),
        Role::idle("quo\"te", None).sleeping("user"),
        Role::idle("用户", Some("会话库")).sleeping("用户"),
        Role::idle("o'brien", None).sleeping("user"),
        app().over_ipv6().sleeping("from ::1"),
    ]
}
