//! Scenarios in which sessions wait for metadata locks on schemas, routines, triggers, events and tablespaces.

use super::metadata_locks::metadata_lock_scenario;
use super::{LockWaitScenario, MARIADB_ONLY, MYSQL_ONLY};

pub(super) fn schema_object_lock_scenarios() -> Vec<LockWaitScenario> {
    vec![
        metadata_lock_scenario("DROP DATABASE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? DROP DATABASE shop"),
        metadata_lock_scenario(
            "CREATE TABLE behind a DROP DATABASE that waits",
            // Opens the session first, because a login to the schema would also wait.
            "c: DO 1\na: BEGIN\na: SELECT * FROM t\nb? DROP DATABASE shop\nc? CREATE TABLE made (x INT)",
        )
        .with_expected_waits("b>a c>b", "a")
        .with_expected_locked_resource("c", "schema"),
        // MariaDB releases a procedure's metadata lock once the procedure is loaded.
        LockWaitScenario::new("DROP PROCEDURE while it runs", "a~ CALL slow()\nb? DROP PROCEDURE slow", "procedure")
            .with_flavors(MYSQL_ONLY),
        LockWaitScenario::new("DROP FUNCTION while it runs", "a~ SELECT slowly()\nb? DROP FUNCTION slowly", "function"),
        // DROP TRIGGER locks the trigger name before the table.
        metadata_lock_scenario(
            "CREATE TRIGGER behind a DROP TRIGGER of the same name that waits",
            "a: BEGIN\na: SELECT * FROM s\nb? DROP TRIGGER counted\n\
             c? CREATE TRIGGER counted BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
        )
        .with_expected_waits("b>a c>b", "a")
        .with_expected_locked_resource("c", "trigger"),
        LockWaitScenario::new(
            "DROP EVENT behind a transaction that looked at it",
            "a: BEGIN\na: SHOW CREATE EVENT nightly\nb? DROP EVENT nightly",
            "event",
        )
        .with_flavors(MYSQL_ONLY),
        // MySQL stores events in its data dictionary, which cannot be locked.
        metadata_lock_scenario(
            "ALTER EVENT behind a DROP EVENT that waits",
            "a: LOCK TABLES mysql.event WRITE\nb? DROP EVENT nightly\nc? ALTER EVENT nightly DISABLE",
        )
        .with_flavors(MARIADB_ONLY)
        .with_expected_waits("b>a c>b", "a")
        .with_expected_locked_resource("c", "event"),
        metadata_lock_scenario(
            "DROP TABLESPACE behind an ALTER TABLE that waits",
            "m: CREATE TABLESPACE space ADD DATAFILE 'space.ibd'\n\
             m: CREATE TABLE spaced (id INT PRIMARY KEY) TABLESPACE = space\n\
             a: BEGIN\na: SELECT * FROM spaced\n\
             b? ALTER TABLE spaced ADD x INT, ALGORITHM = COPY\nc? DROP TABLESPACE space",
        )
        .with_flavors(MYSQL_ONLY)
        .with_expected_waits("b>a c>b", "a")
        .with_expected_locked_resource("c", "tablespace"),
    ]
}
