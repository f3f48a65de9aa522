//! All statements that Clew sends to watched servers, with their cost and required privileges.
//!
//! Costs were measured with 10,000 sessions, 2,500 open transactions and 100 lock waiters (DESIGN.md section 7).

use std::fmt::Write as _;

use jiff::civil::DateTime;

/// Server version and connection id. Free; no privilege needed.
/// The limit overrides a `sql_select_limit` of 0, which is reset later.
pub(crate) const SERVER_IDENTITY_QUERY: &str = "SELECT VERSION(), CONNECTION_ID() LIMIT 1";

/// Source of MySQL's `SHOW PROCESSLIST`. performance_schema as its source truncates statements at 1,024 bytes.
/// Free; no privilege needed. Error 1193 on servers without the variable, which do not truncate.
pub(crate) const PROCESS_LIST_SOURCE_QUERY: &str = "SELECT @@GLOBAL.performance_schema_show_processlist";

/// All open transactions. 0.05 s on MySQL, 0.14 s on MariaDB. Needs PROCESS (otherwise error 1227).
///
/// InnoDB reports times in the server's time zone; [`SERVER_CLOCK_QUERY`] is read just after them.
pub(crate) const TRANSACTIONS_QUERY: &str = "SELECT trx_mysql_thread_id, trx_id, trx_state, CAST(trx_started AS CHAR), \
     CAST(trx_wait_started AS CHAR), trx_rows_locked, trx_tables_locked, trx_rows_modified FROM information_schema.innodb_trx";

/// Transactions that are being rolled back.
/// Cost and privileges as for [`TRANSACTIONS_QUERY`]: the server generates the whole table first.
pub(crate) const ROLLBACKS_QUERY: &str = "SELECT trx_id, trx_mysql_thread_id, trx_query, CAST(trx_started AS CHAR), \
     trx_rows_modified FROM information_schema.innodb_trx \
     WHERE trx_state = 'ROLLING BACK'";

/// InnoDB status, a text of up to 1 MiB that includes transactions. Sent only if [`TRANSACTIONS_QUERY`] fails.
/// Needs PROCESS.
pub(crate) const INNODB_STATUS_QUERY: &str = "SHOW ENGINE INNODB STATUS";

/// All sessions with complete statements. 0.05 s. Without PROCESS only sessions of the same account.
pub(crate) const PROCESS_LIST_QUERY: &str = "SHOW FULL PROCESSLIST";

/// All sessions with the first 1,024 bytes of each statement, for repeated samples of MySQL. 0.06 s.
/// Avoids a global lock. Empty if performance_schema is off. Privileges as for [`PROCESS_LIST_QUERY`].
pub(crate) const LOCK_FREE_PROCESS_LIST_QUERY: &str =
    "SELECT id, user, host, db, command, time, state, info FROM performance_schema.processlist";

/// Kills a connection. 1 ms. No privilege needed for connections of the same account.
pub(crate) fn kill_connection_statement(connection: u64) -> String {
    format!("KILL {connection}")
}

/// Kills the current statement of a connection. 1 ms; MySQL and MariaDB.
pub(crate) fn kill_query_statement(connection: u64) -> String {
    format!("KILL QUERY {connection}")
}

/// Kills one execution of a statement. 1 ms; MariaDB only. Error 1957 if it has ended.
pub(crate) fn kill_query_id_statement(query: u64) -> String {
    format!("KILL QUERY ID {query}")
}

/// Statement ids of these sessions on MariaDB. Up to 0.1 s: the server scans all sessions.
/// Needs PROCESS for sessions of other accounts.
pub(crate) fn statement_ids_query(connections: &[u64]) -> String {
    format!("SELECT id, query_id FROM information_schema.processlist WHERE id IN ({})", join_numbers(connections))
}

/// Error for a connection id that does not exist.
pub(crate) const NO_SUCH_THREAD_ERROR: u16 = 1094;

/// Calls the kill procedure of a managed server, for an account that may not run `KILL`.
/// Error 1305 if the procedure does not exist, 1370 if the account may not execute it.
pub(crate) fn call_procedure_statement(procedure: &str, number: u64) -> String {
    format!("CALL {procedure}({number})")
}

/// Sessions of the same account with this installation's token in their connection attributes.
/// 0.1 s with 10,000 sessions: the server scans the attributes of the account's sessions.
/// Needs performance_schema to be on.
pub(crate) fn sessions_with_token_query(token: &str) -> String {
    format!(
        "SELECT processlist_id FROM performance_schema.session_account_connect_attrs \
         WHERE attr_name = 'clew_connection' AND attr_value LIKE 'clew:{token}.%'"
    )
}

/// Identity of the server, and its start as Unix time. No privilege needed.
/// Both times are taken at the start of the statement: their difference is constant.
/// Up to 0.03 s: the server sums counters of all sessions.
pub(crate) const MYSQL_INSTANCE_QUERY: &str = "SELECT @@GLOBAL.server_uuid, UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM performance_schema.global_status WHERE variable_name = 'Uptime'";

/// [`MYSQL_INSTANCE_QUERY`] for MySQL before 5.7.
pub(crate) const OLD_MYSQL_INSTANCE_QUERY: &str = "SELECT @@GLOBAL.server_uuid, UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM information_schema.global_status WHERE variable_name = 'Uptime'";

/// [`MYSQL_INSTANCE_QUERY`] for MariaDB, which has no server UUID.
pub(crate) const MARIADB_INSTANCE_QUERY: &str = "SELECT CONCAT_WS('|', @@GLOBAL.hostname, @@GLOBAL.port, @@GLOBAL.server_id, @@GLOBAL.datadir), \
     UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM information_schema.global_status WHERE variable_name = 'Uptime'";

/// Account of the connection. Free; no privilege needed.
pub(crate) const CURRENT_ACCOUNT_QUERY: &str = "SELECT CURRENT_USER()";

/// TLS cipher of the connection; empty without TLS. Free; no privilege needed.
pub(crate) const TLS_CIPHER_QUERY: &str = "SHOW STATUS LIKE 'Ssl_cipher'";

/// Server clock: local time, Unix time, and whether the UTC offset was the same one day ago.
/// Free; no privilege needed.
/// `UNIX_TIMESTAMP()` without an argument is correct even while the local time is ambiguous.
pub(crate) const SERVER_CLOCK_QUERY: &str = "SELECT CAST(NOW(6) AS CHAR), UNIX_TIMESTAMP(), \
     UNIX_TIMESTAMP() - UNIX_TIMESTAMP(NOW() - INTERVAL 1 DAY) = 86400";

/// Converts local times to UTC, as `seconds,before,after;…`. Free; no privilege needed.
/// `before` and `after` are 1 if the same local time occurs one hour before or after.
pub(crate) fn convert_to_utc_query(times: &[DateTime]) -> String {
    let convert = |time: &DateTime| {
        let time = format!("TIMESTAMP'{}'", time.strftime("%Y-%m-%d %H:%M:%S"));
        let other = |shift: &str| format!("FROM_UNIXTIME(UNIX_TIMESTAMP({time}) {shift} 3600) = {time}");
        format!("CONCAT_WS(',', UNIX_TIMESTAMP({time}), {}, {})", other("-"), other("+"))
    };
    format!("SELECT CONCAT_WS(';', {})", times.iter().map(convert).collect::<Vec<_>>().join(", "))
}

/// Checks whether the account can read transactions. Cost as for [`TRANSACTIONS_QUERY`]. Needs PROCESS.
/// `LIMIT 0` would skip the privilege check.
pub(crate) const TRANSACTIONS_PROBE_QUERY: &str = "SELECT 1 FROM information_schema.innodb_trx LIMIT 1";

/// Grants of the account. Free; no privilege needed.
pub(crate) const GRANTS_QUERY: &str = "SHOW GRANTS";

/// State of performance_schema: on or off. Free; no privilege needed.
pub(crate) const PERFORMANCE_SCHEMA_STATE_QUERY: &str = "SELECT @@GLOBAL.performance_schema";

/// Checks whether metadata locks can be read, without reading one. Needs SELECT on performance_schema.
pub(crate) const METADATA_LOCKS_PROBE_QUERY: &str = "SELECT 1 FROM performance_schema.metadata_locks LIMIT 0";

/// State of the instrument for metadata locks. Needs SELECT on performance_schema.
pub(crate) const METADATA_LOCK_INSTRUMENT_QUERY: &str =
    "SELECT enabled FROM performance_schema.setup_instruments WHERE name = 'wait/lock/metadata/sql/mdl'";

/// InnoDB lock waits on MySQL. 0.07 s for 5,051 waits. Needs SELECT on performance_schema.
/// Sent only if a transaction waits.
pub(crate) const MYSQL_ROW_WAITS_QUERY: &str = "SELECT requesting_engine_lock_id, requesting_engine_transaction_id, \
     requesting_thread_id, blocking_engine_lock_id, blocking_engine_transaction_id, blocking_thread_id \
     FROM performance_schema.data_lock_waits";

/// Objects of these InnoDB locks. `ids` have digits and colons only. Needs SELECT on performance_schema.
/// 0.3 s with 200,000 locks: the server scans all locks once.
/// The condition avoids the table's index: through it, MySQL 9.7 finds only the first id of a list.
pub(crate) fn data_locks_query(ids: &[&str]) -> String {
    format!(
        "SELECT engine_lock_id, object_schema, object_name, index_name, lock_mode, lock_type, lock_data \
         FROM performance_schema.data_locks WHERE CONCAT(engine_lock_id) IN ('{}')",
        ids.join("','")
    )
}

/// Tables locked by these transactions, and the threads that locked them. Cost and privileges as for [`data_locks_query`].
/// Sent only for transactions without a session.
pub(crate) fn locked_tables_query(transactions: &[u64]) -> String {
    format!(
        "SELECT engine_transaction_id, thread_id, object_schema, object_name FROM performance_schema.data_locks \
         WHERE engine_transaction_id + 0 IN ({}) AND lock_type = 'TABLE'",
        join_numbers(transactions)
    )
}

/// InnoDB lock waits on MariaDB. 0.02 s for 5,051 waits. Needs PROCESS. Sent only if a transaction waits.
pub(crate) const MARIADB_ROW_WAITS_QUERY: &str = "SELECT requesting_trx_id, requested_lock_id, blocking_trx_id, \
     blocking_lock_id FROM information_schema.innodb_lock_waits";

/// InnoDB locks with waiters, and their objects, on MariaDB. Cost and privileges as for [`MARIADB_ROW_WAITS_QUERY`].
pub(crate) const MARIADB_ROW_LOCKS_QUERY: &str = "SELECT lock_id, lock_mode, lock_type, lock_table, lock_index, lock_data \
     FROM information_schema.innodb_locks";

/// Requested locks of waiting transactions without an id, on MariaDB. Cost as for [`TRANSACTIONS_QUERY`]. Needs PROCESS.
/// Sent only if such a transaction exists.
pub(crate) const WAITERS_WITHOUT_ID_QUERY: &str = "SELECT trx_mysql_thread_id, trx_requested_lock_id \
     FROM information_schema.innodb_trx WHERE trx_id = 0 AND trx_requested_lock_id IS NOT NULL";

/// Metadata locks, granted and pending. 0.05 s with 2,500 open transactions. Needs SELECT on performance_schema.
pub(crate) const METADATA_LOCKS_QUERY: &str = "SELECT object_type, object_schema, object_name, lock_type, lock_status, \
     owner_thread_id, lock_duration FROM performance_schema.metadata_locks";

/// Granted metadata locks from MariaDB's plugin. Error 1109 if it is not installed. No privilege needed.
pub(crate) const GRANTED_METADATA_LOCKS_QUERY: &str = "SELECT lock_type, table_schema, table_name, lock_mode, thread_id \
     FROM information_schema.metadata_lock_info";

/// Checks whether the plugin is installed, without reading a lock.
pub(crate) const GRANTED_METADATA_LOCKS_PROBE_QUERY: &str =
    "SELECT 1 FROM information_schema.metadata_lock_info LIMIT 0";

/// Session of each thread, and whether the thread is a replication applier. 0.05 s on MariaDB, 0.07 s on MySQL.
/// Needs SELECT on performance_schema.
pub(crate) const THREADS_QUERY: &str = "SELECT thread_id, processlist_id, name IN ('thread/sql/replica_sql', \
     'thread/sql/replica_worker', 'thread/sql/slave_sql', 'thread/sql/slave_worker') \
     FROM performance_schema.threads WHERE processlist_id IS NOT NULL";

/// Sessions of this list with a flag for replication appliers. Cost and privileges as for [`THREADS_QUERY`].
/// Empty if performance_schema is off.
pub(crate) fn applier_threads_query(sessions: &[u64]) -> String {
    format!(
        "SELECT processlist_id, name IN ('thread/sql/replica_sql', 'thread/sql/replica_worker', 'thread/sql/slave_sql', \
         'thread/sql/slave_worker') FROM performance_schema.threads WHERE processlist_id IN ({})",
        join_numbers(sessions)
    )
}

/// Names of prepared XA transactions. Free; MySQL needs XA_RECOVER_ADMIN.
/// Sent only if a transaction has no session.
pub(crate) const XA_RECOVER_QUERY: &str = "XA RECOVER";

/// Open transactions of these threads. Needs SELECT on performance_schema. Sent only for idle root blockers.
pub(crate) fn open_transactions_query(threads: &[u64]) -> String {
    format!(
        "SELECT thread_id, event_id FROM performance_schema.events_transactions_current \
         WHERE state = 'ACTIVE' AND thread_id IN ({})",
        join_numbers(threads)
    )
}

/// Latest statements of these threads, by default 10 of each. Needs SELECT on performance_schema.
/// Sent only for idle root blockers.
pub(crate) fn last_statements_query(threads: &[u64]) -> String {
    format!(
        "SELECT thread_id, event_id, nesting_event_id, nesting_event_type, sql_text \
         FROM performance_schema.events_statements_history WHERE thread_id IN ({}) ORDER BY thread_id, event_id",
        join_numbers(threads)
    )
}

/// Connection attributes of a session. Needs SELECT on performance_schema. Sent only when one session is read.
pub(crate) fn connection_attributes_query(session: u64) -> String {
    format!(
        "SELECT attr_name, attr_value FROM performance_schema.session_connect_attrs WHERE processlist_id = {session} \
         ORDER BY ordinal_position"
    )
}

/// Execution plan of a session's statement on MySQL. Free; needs the privileges of the statement.
/// Error 1094 if the session does not exist, 3012 if it runs no statement with a plan.
pub(crate) fn explain_mysql_statement(session: u64) -> String {
    format!("EXPLAIN FORMAT = TRADITIONAL FOR CONNECTION {session}")
}

/// Execution plan of a session's statement on MariaDB, which the session itself returns between two rows.
/// Error 1933 if it runs no statement with a plan.
pub(crate) fn explain_mariadb_statement(session: u64) -> String {
    format!("SHOW EXPLAIN FOR {session}")
}

/// Time limit for [`explain_mariadb_statement`]. Free; no privilege needed.
/// A session that waits for a lock does not respond until it has the lock; a sleeping one responds every 5 s.
pub(crate) const SET_EXPLAIN_TIMEOUT_STATEMENT: &str = "SET SESSION max_statement_time = 7";

/// State of the statement history, and its size per session.
/// Free; needs SELECT on performance_schema.
pub(crate) const STATEMENT_HISTORY_SETTINGS_QUERY: &str = "SELECT enabled = 'YES', @@GLOBAL.performance_schema_events_statements_history_size \
     FROM performance_schema.setup_consumers WHERE name = 'events_statements_history'";

/// Lost instrumentation of performance_schema since the server started. No privilege needed.
/// Up to 0.03 s: the server sums counters of all sessions.
pub(crate) const LOSS_COUNTERS_QUERY: &str = "SHOW GLOBAL STATUS LIKE 'Performance\\_schema\\_%\\_lost'";

/// Sizes of performance_schema. 1 ms; no privilege needed.
pub(crate) const PERFORMANCE_SCHEMA_SIZES_QUERY: &str = "SHOW GLOBAL VARIABLES LIKE 'performance\\_schema\\_%'";

/// Threads of busy sessions on MySQL. 2 ms. Needs SELECT on performance_schema; empty if it is off.
pub(crate) const BUSY_THREADS_QUERY: &str = "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads \
     WHERE processlist_id IS NOT NULL AND processlist_command <> 'Sleep'";

/// Threads of all sessions on MySQL. 4 ms with 10,000. Privileges as for [`BUSY_THREADS_QUERY`].
pub(crate) const ALL_THREADS_QUERY: &str = "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads \
     WHERE processlist_id IS NOT NULL";

/// Threads of these sessions on MySQL. 0.1 ms per session. Privileges as for [`BUSY_THREADS_QUERY`].
pub(crate) fn threads_by_session_query(sessions: &[u64]) -> String {
    format!(
        "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads WHERE processlist_id IN ({})",
        join_numbers(sessions)
    )
}

/// Timers of the latest statement of each of these threads, on MySQL. Sessions cannot change these timers.
/// 0.1 ms per thread. Needs SELECT on performance_schema.
pub(crate) fn statement_timers_query(threads: &[u64]) -> String {
    format!("{STATEMENT_TIMERS_QUERY} WHERE thread_id IN ({})", join_numbers(threads))
}

/// Timers of all running statements. 0.05 s: the server prepares the digest of each session's latest statement.
pub(crate) fn running_statement_timers_query() -> String {
    format!("{STATEMENT_TIMERS_QUERY} WHERE end_event_id IS NULL")
}

/// Timers of the latest statements of all threads, ended ones included.
/// 0.06 s with 10,000: the server prepares a digest for each row.
pub(crate) const STATEMENT_TIMERS_QUERY: &str = "SELECT thread_id, event_id, end_event_id IS NULL, timer_end, timer_wait \
     FROM performance_schema.events_statements_current";

/// Digests of running statements on MySQL by thread, nested ones of procedures included. 0.1 s.
/// Needs SELECT on performance_schema. [`THREADS_QUERY`] has the sessions.
pub(crate) const RUNNING_DIGESTS_QUERY: &str = "SELECT thread_id, event_id, digest \
     FROM performance_schema.events_statements_current WHERE end_event_id IS NULL";

/// Enabled consumers of performance_schema. Free; needs SELECT on performance_schema.
pub(crate) const ENABLED_CONSUMERS_QUERY: &str =
    "SELECT name FROM performance_schema.setup_consumers WHERE enabled = 'YES'";

/// Program name of each session. 0.1 s on MySQL. Needs SELECT on performance_schema.
pub(crate) const PROGRAM_NAMES_QUERY: &str = "SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs \
     WHERE attr_name = 'program_name'";

/// Program names of these sessions. MySQL uses the primary key, MariaDB scans all sessions.
/// Privileges as for [`PROGRAM_NAMES_QUERY`].
pub(crate) fn program_names_query(sessions: &[u64]) -> String {
    format!("{PROGRAM_NAMES_QUERY} AND processlist_id IN ({})", join_numbers(sessions))
}

/// Size of the buffer for connection attributes. Free; no privilege needed.
pub(crate) const CONNECTION_ATTRIBUTES_SIZE_QUERY: &str =
    "SELECT @@GLOBAL.performance_schema_session_connect_attrs_size";

/// Storage engines of the server, and whether they support transactions. Free; no privilege needed.
pub(crate) const STORAGE_ENGINES_QUERY: &str = "SELECT engine, transactions FROM information_schema.engines";

/// Storage engines of these tables, by index in the list. Shows only tables that the account has a privilege on.
/// Cost per table: one lookup in the data dictionary; on MariaDB one definition file.
/// An exclusively locked table may take 1 s (`lock_wait_timeout`).
pub(crate) fn table_engines_query<'n>(tables: impl IntoIterator<Item = (&'n str, &'n str)>) -> String {
    let select = |(index, (schema, name)): (usize, (&str, &str))| {
        format!(
            "SELECT {index}, engine FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
            format_hex_literal(schema),
            format_hex_literal(name)
        )
    };
    tables.into_iter().enumerate().map(select).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Tables of the list that InnoDB has, as `schema/table`; partitions are `schema/table#p#name`. Needs PROCESS.
/// The server scans all InnoDB tables, with a limit of 1 s.
/// Sent only for tables that [`table_engines_query`] does not show.
pub(crate) fn innodb_tables_query<'n>(view: &str, is_mysql: bool, names: impl Iterator<Item = &'n str>) -> String {
    let names = names.map(format_hex_literal).collect::<Vec<_>>().join(",");
    let select = |hint: &str| {
        format!("SELECT {hint}name FROM information_schema.{view} WHERE SUBSTRING_INDEX(name, '#', 1) IN ({names})")
    };
    if is_mysql {
        select("/*+ MAX_EXECUTION_TIME(1000) */ ")
    } else {
        format!("SET STATEMENT max_statement_time = 1 FOR {}", select(""))
    }
}

/// Formats a text as a literal that is independent of `sql_mode`.
fn format_hex_literal(text: &str) -> String {
    let mut literal = String::from("_utf8mb4 X'");
    for byte in text.bytes() {
        // Writing to a string cannot fail.
        let _ = write!(literal, "{byte:02X}");
    }
    literal.push('\'');
    literal
}

fn join_numbers(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}
