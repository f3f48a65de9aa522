//! Waits of `FLUSH TABLES` for one table.

use super::ddl::{table, table_of};
use super::{MARIADB, MYSQL, Scenario};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        table(
            "FLUSH TABLES of one WITH READ LOCK, then a writer",
            "a: FLUSH TABLES t WITH READ LOCK\nb? UPDATE t SET v = 1 WHERE id = 1",
            "b>a",
        ),
        table(
            "FLUSH TABLES of one WITH READ LOCK behind a writer, and a writer behind that",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? FLUSH TABLES t WITH READ LOCK\n\
             c? UPDATE t SET v = 1 WHERE id = 5",
            "b>a c>b",
        ),
        Scenario::new(
            MYSQL,
            "FLUSH TABLES of one WITH READ LOCK behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t WITH READ LOCK",
            "b>a",
            "a",
            "table flush",
        ),
        Scenario::new(
            MYSQL,
            "FLUSH TABLES behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t",
            "b>a",
            "a",
            "table flush",
        ),
        Scenario::new(
            MYSQL,
            "a reader behind a FLUSH TABLES that waits",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t\nc? SELECT * FROM t",
            "b>a c>a",
            "a",
            "table flush",
        ),
        table_of(
            MARIADB,
            "FLUSH TABLES behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t",
            "b>a",
        ),
        table_of(
            MARIADB,
            "a reader behind a FLUSH TABLES that waits",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t\nc? SELECT * FROM t",
            "b>a c>b",
        ),
    ]
}
