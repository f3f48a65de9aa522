//! Scenarios in which sessions wait for metadata locks on schemas, routines, triggers, events and tablespaces.

use super::metadata_locks::{metadata_lock_scenario, metadata_lock_scenario_for_flavors};
use super::{LockWaitScenario, MARIADB_ONLY_FLAVORS, MYSQL_AND_MARIADB_FLAVORS, MYSQL_ONLY_FLAVORS};

pub(super) fn schema_object_lock_scenarios() -> Vec<LockWaitScenario> {
    vec![
        metadata_lock_scenario("DROP DATABASE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? DROP DATABASE shop", "b>a"),
        metadata_lock_scenario(
            "CREATE TABLE behind a DROP DATABASE that waits",
            // Opens the session first, because a login to the schema would also wait.
            "c: DO 1\na: BEGIN\na: SELECT * FROM t\nb? DROP DATABASE shop\nc? CREATE TABLE made (x INT)",
            "b>a c>b",
        )
        .with_expected_locked_resource("c", "schema"),
        // MariaDB releases a procedure's metadata lock once the procedure is loaded.
        LockWaitScenario::new(
            MYSQL_ONLY_FLAVORS,
            "DROP PROCEDURE while it runs",
            "a~ CALL slow()\nb? DROP PROCEDURE slow",
            "b>a",
            "a",
            "procedure",
        ),
        LockWaitScenario::new(
            MYSQL_AND_MARIADB_FLAVORS,
            "DROP FUNCTION while it runs",
            "a~ SELECT slowly()\nb? DROP FUNCTION slowly",
            "b>a",
            "a",
            "function",
        ),
        // DROP TRIGGER locks the trigger name before the table.
        metadata_lock_scenario(
            "CREATE TRIGGER behind a DROP TRIGGER of the same name that waits",
            "a: BEGIN\na: SELECT * FROM s\nb? DROP TRIGGER counted\n\
             c? CREATE TRIGGER counted BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
            "b>a c>b",
        )
        .with_expected_locked_resource("c", "trigger"),
        LockWaitScenario::new(
            MYSQL_ONLY_FLAVORS,
            "DROP EVENT behind a transaction that looked at it",
            "a: BEGIN\na: SHOW CREATE EVENT nightly\nb? DROP EVENT nightly",
            "b>a",
            "a",
            "event",
        ),
        // MySQL stores events in its data dictionary, which cannot be locked.
        metadata_lock_scenario_for_flavors(
            MARIADB_ONLY_FLAVORS,
            "ALTER EVENT behind a DROP EVENT that waits",
            "a: LOCK TABLES mysql.event WRITE\nb? DROP EVENT nightly\nc? ALTER EVENT nightly DISABLE",
            "b>a c>b",
        )
        .with_expected_locked_resource("c", "event"),
        metadata_lock_scenario_for_flavors(
            MYSQL_ONLY_FLAVORS,
            "DROP TABLESPACE behind an ALTER TABLE that waits",
            "m: CREATE TABLESPACE space ADD DATAFILE 'space.ibd'\n\
             m: CREATE TABLE spaced (id INT PRIMARY KEY) TABLESPACE = space\n\
             a: BEGIN\na: SELECT * FROM spaced\nb? ALTER TABLE spaced ADD x INT, ALGORITHM = COPY\nc? DROP TABLESPACE space",
            "b>a c>b",
        )
        .with_expected_locked_resource("c", "tablespace"),
    ]
}
