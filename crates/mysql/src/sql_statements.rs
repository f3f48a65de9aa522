//! SQL statements that Clew sends to monitored servers, with their execution times and required privileges.
//!
//! The execution times apply to servers with 10,000 sessions, 2,500 open transactions and 100 lock waiters.

use std::fmt::Write as _;

use jiff::civil::DateTime;

/// Reads the server version, the connection id, and the variables that identify the server and its host.
/// This statement requires no privileges and takes negligible time.
/// `LIMIT 1` ensures that the query returns its row even if the session variable `sql_select_limit` is 0.
/// Only MariaDB executes the comment that begins with `/*M!`, so a version text without `MariaDB` is completed.
pub(crate) const VERSION_CONNECTION_ID_AND_HOST_QUERY: &str = "SELECT CONCAT(VERSION() \
     /*M! , IF(VERSION() LIKE '%MariaDB%', '', '-MariaDB') */), CONNECTION_ID(), \
     CONCAT_WS('|', @@GLOBAL.hostname, @@GLOBAL.port, @@GLOBAL.server_id, @@GLOBAL.datadir) LIMIT 1";

/// Reads the server version and the connection id if the server refuses [`VERSION_CONNECTION_ID_AND_HOST_QUERY`].
/// This statement requires no privileges and takes negligible time.
pub(crate) const VERSION_AND_CONNECTION_ID_QUERY: &str = "SELECT VERSION(), CONNECTION_ID() LIMIT 1";

/// Checks whether `SHOW PROCESSLIST` reads from performance_schema and therefore truncates statements to 1,024 bytes.
/// This statement requires no privileges and takes negligible time.
/// A server that lacks the variable `performance_schema_show_processlist` returns `ER_UNKNOWN_SYSTEM_VARIABLE` (1193).
pub(crate) const SHOW_PROCESSLIST_SETTING_QUERY: &str = "SELECT @@GLOBAL.performance_schema_show_processlist";

/// Reads all open transactions. For 2,500 transactions, the query took 0.05 s on MySQL and 0.14 s on MariaDB.
/// If the account lacks the PROCESS privilege, the server returns `ER_SPECIFIC_ACCESS_DENIED_ERROR` (1227).
///
/// InnoDB reports the start times of transactions and lock waits in the server's time zone.
/// To compute transaction ages, Clew runs [`SERVER_CLOCK_QUERY`] immediately after `TRANSACTIONS_QUERY`.
pub(crate) const TRANSACTIONS_QUERY: &str = "SELECT trx_mysql_thread_id, trx_id, trx_state, CAST(trx_started AS CHAR), \
     CAST(trx_wait_started AS CHAR), trx_rows_locked, trx_tables_locked, trx_rows_modified FROM information_schema.innodb_trx";

/// Requires the PROCESS privilege.
/// The rollback query takes as long as [`TRANSACTIONS_QUERY`], because the server reads all transactions before filtering.
pub(crate) const ROLLBACKS_QUERY: &str = "SELECT trx_id, trx_mysql_thread_id, trx_query, CAST(trx_started AS CHAR), \
     trx_rows_modified FROM information_schema.innodb_trx \
     WHERE trx_state = 'ROLLING BACK'";

/// Reads the InnoDB status report of up to 1 MiB, which lists the open transactions.
/// Requires the PROCESS privilege.
/// Clew runs this statement only if [`TRANSACTIONS_QUERY`] fails with [`ER_CANNOT_CONVERT_STRING`] or returns an ambiguous local time.
pub(crate) const INNODB_STATUS_QUERY: &str = "SHOW ENGINE INNODB STATUS";

/// Reads all sessions with their complete statements. Measured duration: 0.05 s with 10,000 sessions.
/// If the account lacks the PROCESS privilege, the server lists only the account's own sessions.
pub(crate) const PROCESS_LIST_QUERY: &str = "SHOW FULL PROCESSLIST";

/// Reads all sessions on MySQL without a global lock, with statements truncated to 1,024 bytes.
/// Measured duration: 0.06 s.
/// If `performance_schema` is disabled, the query returns no rows.
/// Requires the same privileges as [`PROCESS_LIST_QUERY`].
pub(crate) const PERFORMANCE_SCHEMA_PROCESS_LIST_QUERY: &str =
    "SELECT id, user, host, db, command, time, state, info FROM performance_schema.processlist";

/// Returns a `KILL` statement for a connection. Measured execution time: 1 ms.
/// An account can kill its own connections without additional privileges.
pub(crate) fn build_kill_connection_statement(connection: u64) -> String {
    format!("KILL {connection}")
}

/// Returns a `KILL QUERY` statement for a connection's running statement. Measured execution time: 1 ms.
pub(crate) fn build_kill_query_statement(connection: u64) -> String {
    format!("KILL QUERY {connection}")
}

/// Builds a `KILL QUERY ID` statement for MariaDB. Measured execution time: 1 ms.
/// The server returns `ER_NO_SUCH_QUERY` (1957) if the statement has already ended.
pub(crate) fn build_kill_by_query_id_statement(query: u64) -> String {
    format!("KILL QUERY ID {query}")
}

/// Reads the query ids of sessions from MariaDB.
/// Reading the query ids takes up to 0.1 s, because the server scans the entire process list.
/// If the account lacks the PROCESS privilege, the query omits sessions of other accounts.
pub(crate) fn mariadb_query_ids_query(connections: &[u64]) -> String {
    format!("SELECT id, query_id FROM information_schema.processlist WHERE id IN ({})", join_with_commas(connections))
}

/// The operation requires a missing privilege, such as PROCESS.
pub(crate) const ER_SPECIFIC_ACCESS_DENIED_ERROR: u16 = 1227;

/// Unknown table of `information_schema`: its plugin, such as InnoDB, is disabled or not installed.
pub(crate) const ER_UNKNOWN_TABLE: u16 = 1109;

/// The table does not exist on the server's release.
pub(crate) const ER_NO_SUCH_TABLE: u16 = 1146;

pub(crate) const ER_NO_SUCH_THREAD: u16 = 1094;

/// MySQL returns this error if a statement in `innodb_trx` contains a four-byte UTF-8 character.
/// Queries on `innodb_trx` fail even if only one running statement contains an emoji (observed on MySQL 9.7.4).
pub(crate) const ER_CANNOT_CONVERT_STRING: u16 = 3854;

/// Calls the kill procedure of a managed database service, for accounts that are not allowed to run `KILL`.
/// If the kill procedure does not exist, the server returns `ER_SP_DOES_NOT_EXIST` (1305).
/// The server returns `ER_PROCACCESS_DENIED_ERROR` (1370) if the account lacks the EXECUTE privilege on the procedure.
pub(crate) fn build_kill_procedure_call(procedure: &str, number: u64) -> String {
    format!("CALL {procedure}({number})")
}

/// Reads the ids of Clew's own sessions, which have the installation marker in the attribute `clew_connection`.
/// The server scans the connection attributes of all sessions of the account, which takes 0.1 s for 10,000 sessions.
/// The query for Clew's own sessions returns no rows if performance_schema is off.
pub(crate) fn own_session_ids_query(marker: &str) -> String {
    format!(
        "SELECT processlist_id FROM performance_schema.session_account_connect_attrs \
         WHERE attr_name = 'clew_connection' AND attr_value LIKE 'clew:{marker}.%'"
    )
}

/// Reads the server UUID and calculates the server's start time as a Unix timestamp.
/// Requires no privileges.
/// `UNIX_TIMESTAMP() - Uptime` is constant, because the server derives both values from the same timestamp.
/// The query takes up to 0.03 s, because `global_status` sums the status counters of all sessions.
pub(crate) const MYSQL_IDENTITY_AND_START_TIME_QUERY: &str = "SELECT @@GLOBAL.server_uuid, UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM performance_schema.global_status WHERE variable_name = 'Uptime'";

/// Variant of [`MYSQL_IDENTITY_AND_START_TIME_QUERY`] for MySQL versions before 5.7.
pub(crate) const LEGACY_MYSQL_IDENTITY_AND_START_TIME_QUERY: &str = "SELECT @@GLOBAL.server_uuid, UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM information_schema.global_status WHERE variable_name = 'Uptime'";

/// Reads the start time and the identity (host name, port, server id and data directory) of a MariaDB server.
pub(crate) const MARIADB_IDENTITY_AND_START_TIME_QUERY: &str = "SELECT CONCAT_WS('|', @@GLOBAL.hostname, @@GLOBAL.port, @@GLOBAL.server_id, @@GLOBAL.datadir), \
     UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) \
     FROM information_schema.global_status WHERE variable_name = 'Uptime'";

/// This statement requires no privileges and takes negligible time.
pub(crate) const CURRENT_ACCOUNT_QUERY: &str = "SELECT CURRENT_USER()";

/// Reads the connection's TLS cipher, which is empty if the connection does not use TLS.
/// This statement requires no privileges and takes negligible time.
pub(crate) const TLS_CIPHER_QUERY: &str = "SHOW STATUS LIKE 'Ssl_cipher'";

/// Reads the server's local time and Unix timestamp, and checks whether its UTC offset was the same one day ago.
/// This statement requires no privileges and takes negligible time.
/// `UNIX_TIMESTAMP()` without an argument is correct even if the current local time is ambiguous.
pub(crate) const SERVER_CLOCK_QUERY: &str = "SELECT CAST(NOW(6) AS CHAR), UNIX_TIMESTAMP(), \
     UNIX_TIMESTAMP() - UNIX_TIMESTAMP(NOW() - INTERVAL 1 DAY) = 86400";

/// Builds a query that converts local times. For each time, the query returns the Unix timestamp, `before` and `after`.
/// This statement requires no privileges and takes negligible time.
/// `before` is 1 if the same local time also occurred one hour earlier (end of daylight saving time), and 0 otherwise.
/// The flag `after` is 1 if the end of daylight saving time repeats the local time one hour later, and 0 otherwise.
pub(crate) fn build_utc_conversion_query(times: &[DateTime]) -> String {
    let convert = |time: &DateTime| {
        let time = format!("TIMESTAMP'{}'", time.strftime("%Y-%m-%d %H:%M:%S"));
        let other = |shift: &str| format!("FROM_UNIXTIME(UNIX_TIMESTAMP({time}) {shift} 3600) = {time}");
        format!("CONCAT_WS(',', UNIX_TIMESTAMP({time}), {}, {})", other("-"), other("+"))
    };
    format!("SELECT CONCAT_WS(';', {})", times.iter().map(convert).collect::<Vec<_>>().join(", "))
}

/// Query that fails if the account lacks the PROCESS privilege, which is required to read transactions.
/// The probe query takes as long as [`TRANSACTIONS_QUERY`].
/// With `LIMIT 0` instead of `LIMIT 1`, the server would not check whether the account has the PROCESS privilege.
pub(crate) const TRANSACTIONS_PROBE_QUERY: &str = "SELECT 1 FROM information_schema.innodb_trx LIMIT 1";

/// This statement requires no privileges and takes negligible time.
pub(crate) const GRANTS_QUERY: &str = "SHOW GRANTS";

/// Reads the active role on MariaDB. This statement requires no privileges and takes negligible time.
pub(crate) const CURRENT_ROLE_QUERY: &str = "SELECT CURRENT_ROLE()";

/// Lists the privileges that the server supports. This statement requires no privileges and takes negligible time.
pub(crate) const PRIVILEGES_QUERY: &str = "SHOW PRIVILEGES";

/// This statement requires no privileges and takes negligible time.
pub(crate) const PERFORMANCE_SCHEMA_ENABLED_QUERY: &str = "SELECT @@GLOBAL.performance_schema";

/// The probe query for metadata locks fails if the account lacks the SELECT privilege on performance_schema.
pub(crate) const METADATA_LOCKS_PROBE_QUERY: &str = "SELECT 1 FROM performance_schema.metadata_locks LIMIT 0";

/// The query requires the SELECT privilege on `performance_schema`.
pub(crate) const METADATA_LOCK_INSTRUMENT_QUERY: &str =
    "SELECT enabled FROM performance_schema.setup_instruments WHERE name = 'wait/lock/metadata/sql/mdl'";

/// Reads InnoDB lock waits from MySQL 8.0 or later. For 5,051 lock waits, the query took 0.07 s.
/// The query requires the SELECT privilege on `performance_schema`. MySQL 5 returns `ER_NO_SUCH_TABLE` (1146).
/// Clew reads InnoDB lock waits only if a transaction may be waiting for a lock.
pub(crate) const PERFORMANCE_SCHEMA_LOCK_WAITS_QUERY: &str = "SELECT requesting_engine_lock_id, requesting_engine_transaction_id, \
     requesting_thread_id, blocking_engine_lock_id, blocking_engine_transaction_id, blocking_thread_id \
     FROM performance_schema.data_lock_waits";

/// Reads the table, index, mode and locked data of the InnoDB locks with the given lock ids.
/// The query requires the SELECT privilege on `performance_schema`.
/// Each lock id in `ids` must consist only of digits and colons.
/// The query scans all locks once. Measured duration: 0.3 s with 200,000 locks.
/// On MySQL 9.7, an index lookup finds only the first lock id in an `IN` list, so `CONCAT` prevents the index lookup.
pub(crate) fn data_locks_query(ids: &[&str]) -> String {
    format!(
        "SELECT engine_lock_id, object_schema, object_name, index_name, lock_mode, lock_type, lock_data \
         FROM performance_schema.data_locks WHERE CONCAT(engine_lock_id) IN ('{}')",
        ids.join("','")
    )
}

/// Reads the tables that the given transactions have locked, and the thread id of each transaction.
/// The query for locked tables takes as long as [`data_locks_query`] and requires the same privileges.
/// Clew reads locked tables only for transactions without a session.
pub(crate) fn locked_tables_query(transactions: &[u64]) -> String {
    format!(
        "SELECT engine_transaction_id, thread_id, object_schema, object_name FROM performance_schema.data_locks \
         WHERE engine_transaction_id + 0 IN ({}) AND lock_type = 'TABLE'",
        join_with_commas(transactions)
    )
}

/// Reads InnoDB lock waits on MariaDB and on MySQL before 8.0. Measured duration on MariaDB: 0.02 s with 5,051 lock waits.
/// Requires the PROCESS privilege. MySQL since 8.0 returns `ER_UNKNOWN_TABLE` (1109).
/// Clew reads InnoDB lock waits only if a transaction may be waiting for a lock.
pub(crate) const INFORMATION_SCHEMA_LOCK_WAITS_QUERY: &str = "SELECT requesting_trx_id, requested_lock_id, blocking_trx_id, \
     blocking_lock_id FROM information_schema.innodb_lock_waits";

/// Probes for [`INFORMATION_SCHEMA_LOCK_WAITS_QUERY`]. Requires no privileges and takes negligible time.
pub(crate) const INFORMATION_SCHEMA_LOCK_WAITS_PROBE_QUERY: &str =
    "SELECT 1 FROM information_schema.innodb_lock_waits LIMIT 0";

/// Reads the requested and the blocking InnoDB locks, with the locked tables, indexes and rows.
/// The query takes as long as [`INFORMATION_SCHEMA_LOCK_WAITS_QUERY`] and requires the same privileges.
pub(crate) const INFORMATION_SCHEMA_ROW_LOCKS_QUERY: &str = "SELECT lock_id, lock_mode, lock_type, lock_table, lock_index, lock_data \
     FROM information_schema.innodb_locks";

/// Reads the locks requested by waiting read-only MariaDB transactions, which have no transaction id.
/// The query for read-only transactions takes as long as [`TRANSACTIONS_QUERY`] and requires the PROCESS privilege.
/// Clew runs the query only if a transaction without a transaction id is waiting for a lock.
pub(crate) const WAITING_READ_ONLY_TRANSACTIONS_QUERY: &str = "SELECT trx_mysql_thread_id, trx_requested_lock_id \
     FROM information_schema.innodb_trx WHERE trx_id = 0 AND trx_requested_lock_id IS NOT NULL";

/// Reads granted and pending metadata locks. Measured duration: 0.05 s with 2,500 open transactions.
/// The query requires the SELECT privilege on `performance_schema`.
pub(crate) const METADATA_LOCKS_QUERY: &str = "SELECT object_type, object_schema, object_name, lock_type, lock_status, \
     owner_thread_id, lock_duration FROM performance_schema.metadata_locks";

/// Reads granted metadata locks from MariaDB's `metadata_lock_info` plugin.
/// Requires no privileges.
/// The server returns `ER_UNKNOWN_TABLE` (1109) if the plugin `metadata_lock_info` is not installed.
pub(crate) const GRANTED_METADATA_LOCKS_QUERY: &str = "SELECT lock_type, table_schema, table_name, lock_mode, thread_id \
     FROM information_schema.metadata_lock_info";

/// Probes for MariaDB's `metadata_lock_info` plugin. The query fails if the plugin is not installed.
pub(crate) const GRANTED_METADATA_LOCKS_PROBE_QUERY: &str =
    "SELECT 1 FROM information_schema.metadata_lock_info LIMIT 0";

/// Reads each thread's session id and a flag that indicates whether the thread is a replication applier.
/// Measured duration of this query: 0.05 s on MariaDB, 0.07 s on MySQL.
/// The query requires the SELECT privilege on `performance_schema`.
pub(crate) const SESSION_IDS_BY_THREAD_QUERY: &str = "SELECT thread_id, processlist_id, name IN ('thread/sql/replica_sql', \
     'thread/sql/replica_worker', 'thread/sql/slave_sql', 'thread/sql/slave_worker') \
     FROM performance_schema.threads WHERE processlist_id IS NOT NULL";

/// Determines which of the given sessions are replication appliers.
/// The query takes as long as [`SESSION_IDS_BY_THREAD_QUERY`] and requires the same privileges.
/// If `performance_schema` is disabled, the query returns no rows.
pub(crate) fn replication_applier_query(sessions: &[u64]) -> String {
    format!(
        "SELECT processlist_id, name IN ('thread/sql/replica_sql', 'thread/sql/replica_worker', 'thread/sql/slave_sql', \
         'thread/sql/slave_worker') FROM performance_schema.threads WHERE processlist_id IN ({})",
        join_with_commas(sessions)
    )
}

/// Requires the XA_RECOVER_ADMIN privilege on MySQL. The execution time is negligible.
/// Clew runs `XA RECOVER` only if at least one transaction has no session.
pub(crate) const XA_RECOVER_QUERY: &str = "XA RECOVER";

/// The query requires the SELECT privilege on `performance_schema`.
/// Clew runs the query only for idle sessions that block other sessions, and for the session detail view.
pub(crate) fn transactions_by_thread_query(threads: &[u64]) -> String {
    format!(
        "SELECT thread_id, event_id FROM performance_schema.events_transactions_current \
         WHERE state = 'ACTIVE' AND thread_id IN ({})",
        join_with_commas(threads)
    )
}

/// Reads the latest statements of the given threads. By default, performance_schema stores 10 statements per thread.
/// The query requires the SELECT privilege on `performance_schema`.
/// Clew runs the query only for idle sessions that block other sessions, and for the session detail view.
pub(crate) fn last_statements_query(threads: &[u64]) -> String {
    format!(
        "SELECT thread_id, event_id, nesting_event_id, nesting_event_type, sql_text \
         FROM performance_schema.events_statements_history WHERE thread_id IN ({}) ORDER BY thread_id, event_id",
        join_with_commas(threads)
    )
}

/// The query requires the SELECT privilege on `performance_schema`.
/// Clew queries connection attributes only for the session detail view.
pub(crate) fn connection_attributes_query(session: u64) -> String {
    format!(
        "SELECT attr_name, attr_value FROM performance_schema.session_connect_attrs WHERE processlist_id = {session} \
         ORDER BY ordinal_position"
    )
}

/// `EXPLAIN` requires the same privileges as the explained statement and takes negligible time.
/// The server returns `ER_NO_SUCH_THREAD` (1094) if the session does not exist.
/// The server returns `ER_EXPLAIN_NOT_SUPPORTED` (3012) if the statement has no execution plan.
pub(crate) fn mysql_explain_statement(session: u64) -> String {
    format!("EXPLAIN FORMAT = TRADITIONAL FOR CONNECTION {session}")
}

/// MariaDB generates the execution plan in the thread of the explained session, but only while that session is processing rows.
/// The server returns `ER_TARGET_NOT_EXPLAINABLE` (1933) if the running statement has no execution plan.
pub(crate) fn mariadb_explain_statement(session: u64) -> String {
    format!("SHOW EXPLAIN FOR {session}")
}

/// Sets the statement timeout for [`mariadb_explain_statement`].
/// This statement requires no privileges and takes negligible time.
/// Without a timeout, `SHOW EXPLAIN` could wait indefinitely if the target session is waiting for a lock.
/// A session that executes `SLEEP` responds only every 5 s, so the timeout for `SHOW EXPLAIN` is 7 s.
pub(crate) const SET_EXPLAIN_TIMEOUT_STATEMENT: &str = "SET SESSION max_statement_time = 7";

/// Checks whether the statement history is enabled, and reads the maximum number of statements per thread.
/// The query requires the SELECT privilege on `performance_schema`. The execution time is negligible.
pub(crate) const STATEMENT_HISTORY_SETTINGS_QUERY: &str = "SELECT enabled = 'YES', @@GLOBAL.performance_schema_events_statements_history_size \
     FROM performance_schema.setup_consumers WHERE name = 'events_statements_history'";

/// Reads the `Performance_schema_%_lost` counters, which count objects that performance_schema failed to record.
/// Requires no privileges.
/// The query takes up to 0.03 s, because the server sums the counters of all sessions.
pub(crate) const LOST_INSTRUMENTATION_COUNTERS_QUERY: &str =
    "SHOW GLOBAL STATUS LIKE 'Performance\\_schema\\_%\\_lost'";

/// Reads the variables of performance_schema. Requires no privileges. Measured duration: 1 ms.
pub(crate) const PERFORMANCE_SCHEMA_VARIABLES_QUERY: &str = "SHOW GLOBAL VARIABLES LIKE 'performance\\_schema\\_%'";

/// Reads the thread ids of all non-idle sessions on MySQL. Measured duration: 2 ms with 10,000 sessions.
/// The query requires the SELECT privilege on `performance_schema`.
/// If `performance_schema` is disabled, the query returns no rows.
pub(crate) const BUSY_THREADS_QUERY: &str = "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads \
     WHERE processlist_id IS NOT NULL AND processlist_command <> 'Sleep'";

/// Reads the thread ids of all sessions on MySQL. The query takes 4 ms with 10,000 sessions.
/// Requires the same privileges as [`BUSY_THREADS_QUERY`].
pub(crate) const ALL_THREADS_QUERY: &str = "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads \
     WHERE processlist_id IS NOT NULL";

/// Reads the thread ids of the given sessions from MySQL. The query takes 0.1 ms per session.
/// Requires the same privileges as [`BUSY_THREADS_QUERY`].
pub(crate) fn session_threads_query(sessions: &[u64]) -> String {
    format!(
        "SELECT thread_id, processlist_id, instrumented = 'YES' FROM performance_schema.threads WHERE processlist_id IN ({})",
        join_with_commas(sessions)
    )
}

/// Reads the statement timers of the given threads on MySQL. Database clients cannot modify these timers.
/// The query takes 0.1 ms per thread and requires the SELECT privilege on `performance_schema`.
pub(crate) fn statement_timers_query(threads: &[u64]) -> String {
    format!("{ALL_STATEMENT_TIMERS_QUERY} WHERE thread_id IN ({})", join_with_commas(threads))
}

/// Reads the timers of all running statements on MySQL.
/// The query requires the SELECT privilege on `performance_schema`.
/// Reading the timers takes 0.05 s with 10,000 sessions, because the server computes each session's statement digest.
pub(crate) fn running_statement_timers_query() -> String {
    format!("{ALL_STATEMENT_TIMERS_QUERY} WHERE end_event_id IS NULL")
}

/// For each thread, reads the timers of the running statement or, if the thread is idle, of the latest statement.
/// Reading the timers of 10,000 threads takes 0.06 s, because the server computes a statement digest for each row.
pub(crate) const ALL_STATEMENT_TIMERS_QUERY: &str = "SELECT thread_id, event_id, end_event_id IS NULL, timer_end, timer_wait \
     FROM performance_schema.events_statements_current";

/// Reads the thread id and digest of each running statement on MySQL, including nested statements.
/// The query takes 0.1 s with 10,000 sessions and requires the SELECT privilege on performance_schema.
/// [`SESSION_IDS_BY_THREAD_QUERY`] maps thread ids to session ids.
pub(crate) const RUNNING_STATEMENT_DIGESTS_QUERY: &str = "SELECT thread_id, event_id, digest \
     FROM performance_schema.events_statements_current WHERE end_event_id IS NULL";

/// The query requires the SELECT privilege on `performance_schema`. The execution time is negligible.
pub(crate) const ENABLED_SETUP_CONSUMERS_QUERY: &str =
    "SELECT name FROM performance_schema.setup_consumers WHERE enabled = 'YES'";

/// Reads the program names of all sessions. Measured duration: 0.1 s with 10,000 sessions on MySQL.
/// The query requires the SELECT privilege on `performance_schema`.
pub(crate) const ALL_PROGRAM_NAMES_QUERY: &str = "SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs \
     WHERE attr_name = 'program_name'";

/// Returns a query for the program names of the given sessions. MySQL uses the primary key; MariaDB scans all sessions.
/// The query requires the SELECT privilege on `performance_schema`.
pub(crate) fn program_names_query(sessions: &[u64]) -> String {
    format!("{ALL_PROGRAM_NAMES_QUERY} AND processlist_id IN ({})", join_with_commas(sessions))
}

/// Reads the size of the buffer in which performance_schema stores a session's connection attributes.
/// This statement requires no privileges and takes negligible time.
pub(crate) const CONNECTION_ATTRIBUTE_BUFFER_SIZE_QUERY: &str =
    "SELECT @@GLOBAL.performance_schema_session_connect_attrs_size";

/// Reads the names of the server's storage engines and checks which engines support transactions.
/// This statement requires no privileges and takes negligible time.
pub(crate) const STORAGE_ENGINES_QUERY: &str = "SELECT engine, transactions FROM information_schema.engines";

/// Reads the storage engine of each table in `tables`. Each result row identifies a table by its index in `tables`.
/// The server returns only tables on which the account has a privilege.
/// For each table, MySQL reads the data dictionary once, and MariaDB reads the table definition file once.
/// If another session holds an exclusive lock on a table, the query waits for up to 1 s (`lock_wait_timeout`).
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

/// Checks which of the tables in `names` are InnoDB tables.
/// Each element of `names` has the format `schema/table`.
/// Requires the PROCESS privilege.
/// Partition names are returned in the format `schema/table#p#name`.
/// The query has a timeout of 1 s, because the server reads the metadata of every InnoDB table.
/// Clew runs this query only for tables that are missing from the result of [`table_engines_query`].
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

/// Formats a string as a hexadecimal SQL literal, whose meaning does not depend on `sql_mode`.
fn format_hex_literal(text: &str) -> String {
    let mut literal = String::from("_utf8mb4 X'");
    for byte in text.bytes() {
        // Writing to a string cannot fail.
        let _ = write!(literal, "{byte:02X}");
    }
    literal.push('\'');
    literal
}

fn join_with_commas(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}
