//! Every statement that Clew sends to a watched server, with what it costs and needs.
//!
//! Costs were measured with 10,000 sessions, 2,500 open transactions and 100 lock waiters (DESIGN.md section 7).

use std::fmt::Write as _;

use jiff::civil::DateTime;

/// Version of the server, and id of the connection. Free; needs nothing. The limit overrides a `sql_select_limit` of 0, which is reset only
/// afterwards.
pub(crate) const SERVER_IDENTITY: &str = "SELECT VERSION(), CONNECTION_ID() LIMIT 1";

/// Whether MySQL answers `SHOW PROCESSLIST` from performance_schema, which cuts statements at 1,024 bytes. Free; needs nothing.
/// A server that does not know the variable answers with error 1193: then it does not do it.
pub(crate) const SHOW_IS_CUT: &str = "SELECT @@GLOBAL.performance_schema_show_processlist";

/// Every open transaction. 0.05 s on MySQL, 0.14 s on MariaDB. Needs PROCESS (error 1227 without it).
///
/// InnoDB prints times in the server's time zone; [`CLOCK`] is read right after them.
pub(crate) const TRANSACTIONS: &str = "SELECT trx_mysql_thread_id, trx_id, trx_state, CAST(trx_started AS CHAR), \
     CAST(trx_wait_started AS CHAR), trx_rows_locked, trx_tables_locked, trx_rows_modified FROM information_schema.innodb_trx";

/// The transactions that are being rolled back. Costs and needs what [`TRANSACTIONS`] does: the server makes the whole table first.
pub(crate) const ROLLBACKS: &str = "SELECT trx_id, trx_mysql_thread_id, trx_query, CAST(trx_started AS CHAR), \
     trx_rows_modified FROM information_schema.innodb_trx \
     WHERE trx_state = 'ROLLING BACK'";

/// What InnoDB tells of itself, transactions among it, as text of up to 1 MiB. Asked only where [`TRANSACTIONS`] cannot be read.
/// Needs PROCESS.
pub(crate) const INNODB_STATUS: &str = "SHOW ENGINE INNODB STATUS";

/// Every session with its whole statement. 0.05 s on both. Without PROCESS it shows the account's own sessions only.
pub(crate) const SESSIONS: &str = "SHOW FULL PROCESSLIST";

/// The same of MySQL with the beginning of each statement, 1,024 bytes, for those who look again and again: no lock is taken that all
/// sessions need. 0.06 s. Answers nothing where performance_schema is off. Needs what [`SESSIONS`] does.
pub(crate) const SESSIONS_WITHOUT_LOCK: &str =
    "SELECT id, user, host, db, command, time, state, info FROM performance_schema.processlist";

/// Ends a connection with whatever it runs. A millisecond; an account may always end its own.
pub(crate) fn kill(connection: u64) -> String {
    format!("KILL {connection}")
}

/// Ends the statement that a connection runs, whichever it is by then. A millisecond; MySQL and MariaDB.
pub(crate) fn kill_query(connection: u64) -> String {
    format!("KILL QUERY {connection}")
}

/// Ends this run of a statement and no other. A millisecond; MariaDB alone. Error 1957 where it has ended.
pub(crate) fn kill_query_id(query: u64) -> String {
    format!("KILL QUERY ID {query}")
}

/// The numbers of what these sessions run, on MariaDB. Costs up to 0.1 s: the server looks at every session. Needs PROCESS for other
/// accounts' sessions.
pub(crate) fn query_ids(connections: &[u64]) -> String {
    format!("SELECT id, query_id FROM information_schema.processlist WHERE id IN ({})", list(connections))
}

/// Error of a statement that names a session that is not there.
pub(crate) const NO_SUCH_THREAD: u16 = 1094;

/// A managed server's procedure for what [`kill`], [`kill_query`] or [`kill_query_id`] does. Error 1305 where there is none, 1370
/// where the account may not call it.
pub(crate) fn call(procedure: &str, number: u64) -> String {
    format!("CALL {procedure}({number})")
}

/// Sessions of the account itself whose connection attribute carries this installation's token. The server scans the attributes of
/// every session of the account: 0.1 s with 10,000. Needs performance_schema to be on.
pub(crate) fn opened_with(token: &str) -> String {
    format!(
        "SELECT processlist_id FROM performance_schema.session_account_connect_attrs \
         WHERE attr_name = 'clew_connection' AND attr_value LIKE 'clew:{token}.%'"
    )
}

/// Identity of the server and when it started, in seconds since 1970. Both times are those of the start of the statement: their
/// difference is constant. The server adds up counters of every session: up to 0.03 s. Needs nothing.
pub(crate) const INSTANCE_MYSQL: &str = "SELECT @@GLOBAL.server_uuid, UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM performance_schema.global_status WHERE variable_name = 'Uptime'";

/// The same of MySQL before 5.7.
pub(crate) const INSTANCE_MYSQL_5_6: &str = "SELECT @@GLOBAL.server_uuid, UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM information_schema.global_status WHERE variable_name = 'Uptime'";

/// The same of MariaDB, whose servers have no UUID.
pub(crate) const INSTANCE_MARIADB: &str = "SELECT CONCAT_WS('|', @@GLOBAL.hostname, @@GLOBAL.port, @@GLOBAL.server_id, @@GLOBAL.datadir), \
     UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM information_schema.global_status WHERE variable_name = 'Uptime'";

/// The account that the server signed this connection in as, and how it is protected. Free; needs nothing.
pub(crate) const ACCOUNT: &str = "SELECT CURRENT_USER()";

/// The cipher of this connection; empty on a plain one. Free; needs nothing.
pub(crate) const CIPHER: &str = "SHOW STATUS LIKE 'Ssl_cipher'";

/// The server's clock: local time, seconds since 1970, and whether the server's offset from UTC was the same one day ago. Free; needs nothing.
/// `UNIX_TIMESTAMP()` without an argument is UTC also where the local time occurs twice.
pub(crate) const CLOCK: &str = "SELECT CAST(NOW(6) AS CHAR), UNIX_TIMESTAMP(), \
     UNIX_TIMESTAMP() - UNIX_TIMESTAMP(NOW() - INTERVAL 1 DAY) = 86400";

/// Local times in UTC, as `seconds,before,after;…`: `before` and `after` are 1 where the same local time occurs an hour before or after. Free;
/// needs nothing.
pub(crate) fn to_utc(times: &[DateTime]) -> String {
    let convert = |time: &DateTime| {
        let time = format!("TIMESTAMP'{}'", time.strftime("%Y-%m-%d %H:%M:%S"));
        let other = |shift: &str| format!("FROM_UNIXTIME(UNIX_TIMESTAMP({time}) {shift} 3600) = {time}");
        format!("CONCAT_WS(',', UNIX_TIMESTAMP({time}), {}, {})", other("-"), other("+"))
    };
    format!("SELECT CONCAT_WS(';', {})", times.iter().map(convert).collect::<Vec<_>>().join(", "))
}

/// Whether the account may read transactions at all. Costs what [`TRANSACTIONS`] does (`LIMIT 0` would be answered without a
/// look at the privilege). Needs PROCESS.
pub(crate) const TRANSACTIONS_PROBE: &str = "SELECT 1 FROM information_schema.innodb_trx LIMIT 1";

/// What the account was granted. Free; needs nothing.
pub(crate) const GRANTS: &str = "SHOW GRANTS";

/// Whether performance_schema is on. Free; needs nothing.
pub(crate) const PERFORMANCE_SCHEMA: &str = "SELECT @@GLOBAL.performance_schema";

/// Whether metadata locks can be read, without reading one. Needs SELECT on performance_schema.
pub(crate) const METADATA_LOCKS_PROBE: &str = "SELECT 1 FROM performance_schema.metadata_locks LIMIT 0";

/// Whether the instrument that fills metadata_locks is on. Needs SELECT on performance_schema.
pub(crate) const METADATA_LOCKS_INSTRUMENT: &str =
    "SELECT enabled FROM performance_schema.setup_instruments WHERE name = 'wait/lock/metadata/sql/mdl'";

/// Who waits for whose InnoDB lock, on MySQL. 0.07 s for 5,051 waits. Needs SELECT on performance_schema. Asked only where a
/// transaction waits.
pub(crate) const ROW_WAITS_MYSQL: &str = "SELECT requesting_engine_lock_id, requesting_engine_transaction_id, \
     requesting_thread_id, blocking_engine_lock_id, blocking_engine_transaction_id, blocking_thread_id \
     FROM performance_schema.data_lock_waits";

/// What these InnoDB locks are on. The server looks through all its locks once: 0.3 s with 200,000 of them. Needs SELECT on
/// performance_schema. `ids` are lists of digits and colons. Not by the table's indexes: MySQL 9.7 finds the first of a list by them,
/// and none of the others.
pub(crate) fn data_locks(ids: &[&str]) -> String {
    format!(
        "SELECT engine_lock_id, object_schema, object_name, index_name, lock_mode, lock_type, lock_data \
         FROM performance_schema.data_locks WHERE CONCAT(engine_lock_id) IN ('{}')",
        ids.join("','")
    )
}

/// Which tables these transactions have locks on, and which thread took them. Cost and need as of [`data_locks`]. Asked only of
/// transactions without a session.
pub(crate) fn locked_tables(transactions: &[u64]) -> String {
    format!(
        "SELECT engine_transaction_id, thread_id, object_schema, object_name FROM performance_schema.data_locks \
         WHERE engine_transaction_id + 0 IN ({}) AND lock_type = 'TABLE'",
        list(transactions)
    )
}

/// Who waits for whose InnoDB lock, on MariaDB. 0.02 s for 5,051 waits. Needs PROCESS. Asked only where a transaction waits.
pub(crate) const ROW_WAITS_MARIADB: &str = "SELECT requesting_trx_id, requested_lock_id, blocking_trx_id, \
     blocking_lock_id FROM information_schema.innodb_lock_waits";

/// What InnoDB's locks are on that somebody waits for, on MariaDB. Costs and needs what [`ROW_WAITS_MARIADB`] does.
pub(crate) const LOCKS_MARIADB: &str = "SELECT lock_id, lock_mode, lock_type, lock_table, lock_index, lock_data \
     FROM information_schema.innodb_locks";

/// Which lock each waiting transaction of MariaDB waits for that has no number of its own. Costs what [`TRANSACTIONS`] does; asked
/// only where there is such a one. Needs PROCESS.
pub(crate) const UNNUMBERED_WAITERS: &str = "SELECT trx_mysql_thread_id, trx_requested_lock_id \
     FROM information_schema.innodb_trx WHERE trx_id = 0 AND trx_requested_lock_id IS NOT NULL";

/// Metadata locks, held and asked for. 0.05 s with 2,500 open transactions. Needs SELECT on performance_schema.
pub(crate) const METADATA_LOCKS: &str = "SELECT object_type, object_schema, object_name, lock_type, lock_status, \
     owner_thread_id, lock_duration FROM performance_schema.metadata_locks";

/// Metadata locks that are held, of MariaDB's plugin. Error 1109 where it is not installed. Needs nothing.
pub(crate) const HELD_METADATA_LOCKS: &str = "SELECT lock_type, table_schema, table_name, lock_mode, thread_id \
     FROM information_schema.metadata_lock_info";

/// Whether that plugin is installed, without reading a lock.
pub(crate) const HELD_METADATA_LOCKS_PROBE: &str = "SELECT 1 FROM information_schema.metadata_lock_info LIMIT 0";

/// Which session each thread serves, and whether it applies what replication brings. 0.05 s on MariaDB, 0.07 s on MySQL. Needs
/// SELECT on performance_schema.
pub(crate) const THREADS: &str = "SELECT thread_id, processlist_id, name IN ('thread/sql/replica_sql', \
     'thread/sql/replica_worker', 'thread/sql/slave_sql', 'thread/sql/slave_worker') \
     FROM performance_schema.threads WHERE processlist_id IS NOT NULL";

/// Which of these sessions applies what replication brings. Costs and needs what [`THREADS`] does; answers nothing where
/// performance_schema is off.
pub(crate) fn appliers(sessions: &[u64]) -> String {
    format!(
        "SELECT processlist_id, name IN ('thread/sql/replica_sql', 'thread/sql/replica_worker', 'thread/sql/slave_sql', \
         'thread/sql/slave_worker') FROM performance_schema.threads WHERE processlist_id IN ({})",
        list(sessions)
    )
}

/// Transactions that XA prepared, by name. Free; MySQL needs XA_RECOVER_ADMIN. Asked only where a transaction has no session.
pub(crate) const PREPARED: &str = "XA RECOVER";

/// Which transaction is open in each of these threads. Needs SELECT on performance_schema; asked for roots that are idle.
pub(crate) fn open_transactions(threads: &[u64]) -> String {
    format!(
        "SELECT thread_id, event_id FROM performance_schema.events_transactions_current \
         WHERE state = 'ACTIVE' AND thread_id IN ({})",
        list(threads)
    )
}

/// The latest statements of these threads, 10 of each by default. Needs SELECT on performance_schema; asked for roots that are
/// idle.
pub(crate) fn last_statements(threads: &[u64]) -> String {
    format!(
        "SELECT thread_id, event_id, nesting_event_id, nesting_event_type, sql_text \
         FROM performance_schema.events_statements_history WHERE thread_id IN ({}) ORDER BY thread_id, event_id",
        list(threads)
    )
}

/// What the client of a session told of itself. Needs SELECT on performance_schema; asked of one session that somebody looks at.
pub(crate) fn attributes_of(session: u64) -> String {
    format!(
        "SELECT attr_name, attr_value FROM performance_schema.session_connect_attrs WHERE processlist_id = {session} \
         ORDER BY ordinal_position"
    )
}

/// How MySQL carries out what a session runs. Free; needs what the statement itself needs. Error 1094 where there is no such session, 3012
/// where it runs nothing that has a plan.
pub(crate) fn explain_mysql(session: u64) -> String {
    format!("EXPLAIN FORMAT = TRADITIONAL FOR CONNECTION {session}")
}

/// The same of MariaDB. The session that is asked about answers itself, between two rows. Error 1933 where it runs nothing that has a plan.
pub(crate) fn explain_mariadb(session: u64) -> String {
    format!("SHOW EXPLAIN FOR {session}")
}

/// For [`explain_mariadb`]: a session that waits for a lock answers nobody until it has it, and one that sleeps only every 5 s. Free; needs
/// nothing.
pub(crate) const ANSWER_SOON: &str = "SET SESSION max_statement_time = 7";

/// Whether the server keeps the latest statements, and how many of each session. Free; needs SELECT on performance_schema.
pub(crate) const STATEMENTS_ARE_KEPT: &str = "SELECT enabled = 'YES', @@GLOBAL.performance_schema_events_statements_history_size \
     FROM performance_schema.setup_consumers WHERE name = 'events_statements_history'";

/// What performance_schema lost since the server was started. Up to 0.03 s: the server adds up counters of every session for it. Needs nothing.
pub(crate) const LOST: &str = "SHOW GLOBAL STATUS LIKE 'Performance\\_schema\\_%\\_lost'";

/// How much it has room for. 0.001 s; needs nothing.
pub(crate) const RECORDED: &str = "SHOW GLOBAL VARIABLES LIKE 'performance\\_schema\\_%'";

/// Which thread serves each session that does something, on MySQL. 0.002 s. Needs SELECT on performance_schema; returns nothing where it is off.
pub(crate) const BUSY_THREADS: &str = "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads \
     WHERE processlist_id IS NOT NULL AND processlist_command <> 'Sleep'";

/// The same of every session. 0.004 s with 10,000.
pub(crate) const ALL_THREADS: &str = "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads \
     WHERE processlist_id IS NOT NULL";

/// The same of these sessions, whatever they do. 0.1 ms a session. Needs what [`BUSY_THREADS`] does.
pub(crate) fn threads_of(sessions: &[u64]) -> String {
    format!(
        "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads WHERE processlist_id IN ({})",
        list(sessions)
    )
}

/// The latest statement of each of these threads, on MySQL: when it began and ended by the server's timers, which no session can set. 0.1 ms a
/// thread. Needs SELECT on performance_schema.
pub(crate) fn statement_timers(threads: &[u64]) -> String {
    format!("{STATEMENT_TIMERS} WHERE thread_id IN ({})", list(threads))
}

/// The same of every thread that runs a statement. 0.05 s: the server prepares the digest of each session's latest statement.
pub(crate) fn running_statement_timers() -> String {
    format!("{STATEMENT_TIMERS} WHERE end_event_id IS NULL")
}

/// The same of all threads, of statements that ended too. 0.06 s with 10,000: the server prepares a digest for each row.
pub(crate) const STATEMENT_TIMERS: &str = "SELECT thread_id, event_id, end_event_id IS NULL, timer_end, timer_wait \
     FROM performance_schema.events_statements_current";

/// Digests of what runs on MySQL, for [`THREADS`] to tell whose; the inner ones of a procedure too. 0.1 s. Needs SELECT on
/// performance_schema.
pub(crate) const RUNNING_DIGESTS: &str = "SELECT thread_id, event_id, digest \
     FROM performance_schema.events_statements_current WHERE end_event_id IS NULL";

/// Parts of performance_schema that are on. Free; needs SELECT on performance_schema.
pub(crate) const CONSUMERS_ON: &str = "SELECT name FROM performance_schema.setup_consumers WHERE enabled = 'YES'";

/// What the program of each session calls itself. 0.1 s on MySQL. Needs SELECT on performance_schema.
pub(crate) const PROGRAMS: &str = "SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs \
     WHERE attr_name = 'program_name'";

/// The same of these sessions. MySQL finds them by the table's key, MariaDB looks through all. Needs what [`PROGRAMS`] does.
pub(crate) fn programs_of(sessions: &[u64]) -> String {
    format!("{PROGRAMS} AND processlist_id IN ({})", list(sessions))
}

/// How many bytes the server keeps of what each client tells of itself. Free; needs nothing.
pub(crate) const PROGRAMS_KEPT: &str = "SELECT @@GLOBAL.performance_schema_session_connect_attrs_size";

/// Engines of the server, and whether each has transactions. Free; needs nothing.
pub(crate) const ENGINES: &str = "SELECT engine, transactions FROM information_schema.engines";

/// Engines of these tables, by their place in the list. One look-up in the dictionary a table; of MariaDB one definition file each. Shows
/// only tables that the account has some privilege on. A table that is locked exclusively may take `lock_wait_timeout`, 1 s.
pub(crate) fn table_engines<'n>(tables: impl IntoIterator<Item = (&'n str, &'n str)>) -> String {
    let one = |(place, (schema, name)): (usize, (&str, &str))| {
        format!(
            "SELECT {place}, engine FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
            literal(schema),
            literal(name)
        )
    };
    tables.into_iter().enumerate().map(one).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Which of these tables, named `schema/table`, InnoDB has; partitions as `schema/table#p#name`. The server looks through all of InnoDB's
/// tables: it is limited to 1 s, and asked only of tables that [`table_engines`] does not show. Needs PROCESS.
pub(crate) fn innodb_tables<'n>(view: &str, is_mysql: bool, names: impl Iterator<Item = &'n str>) -> String {
    let names = names.map(literal).collect::<Vec<_>>().join(",");
    let select = |hint: &str| {
        format!("SELECT {hint}name FROM information_schema.{view} WHERE SUBSTRING_INDEX(name, '#', 1) IN ({names})")
    };
    if is_mysql {
        select("/*+ MAX_EXECUTION_TIME(1000) */ ")
    } else {
        format!("SET STATEMENT max_statement_time = 1 FOR {}", select(""))
    }
}

/// A text as a literal that no `sql_mode` reads differently.
fn literal(text: &str) -> String {
    let mut literal = String::from("_utf8mb4 X'");
    for byte in text.bytes() {
        // Writing to a string cannot fail.
        let _ = write!(literal, "{byte:02X}");
    }
    literal.push('\'');
    literal
}

fn list(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}
