//! Every statement that Clew sends to a watched server, with what it costs and needs.
//!
//! Costs were measured with 10,000 sessions, 2,500 open transactions and 100 lock waiters (DESIGN.md section 7).

/// Which server this is and which connection this is. Free; needs nothing.
pub(crate) const WHO_ARE_YOU: &str = "SELECT VERSION(), CONNECTION_ID()";

/// Session settings for MySQL: text as UTF-8, times on the server's own clock, and an end to every wait. Free; needs nothing.
pub(crate) fn set_up_mysql(seconds: u64) -> String {
    format!(
        "SET NAMES utf8mb4, SESSION time_zone = 'SYSTEM', SESSION lock_wait_timeout = {seconds}, \
         SESSION max_execution_time = {}",
        seconds * 1000
    )
}

/// Session settings for MariaDB; `max_statement_time` ends any statement there, not only a SELECT. Free; needs nothing.
pub(crate) fn set_up_mariadb(seconds: u64) -> String {
    format!(
        "SET NAMES utf8mb4, SESSION time_zone = 'SYSTEM', SESSION lock_wait_timeout = {seconds}, \
         SESSION max_statement_time = {seconds}"
    )
}

/// Whether MySQL answers `SHOW PROCESSLIST` from performance_schema, which cuts statements at 1,024 bytes. Free; needs nothing.
/// A server that does not know the variable answers with error 1193: then it does not do it.
pub(crate) const SHOW_IS_CUT: &str = "SELECT @@GLOBAL.performance_schema_show_processlist";

/// Every open transaction. 0.05 s on MySQL, 0.14 s on MariaDB. Needs PROCESS (error 1227 without it).
///
/// Ages are taken on the server's clock, in its time zone, in which InnoDB prints its times.
pub(crate) const TRANSACTIONS: &str = "SELECT trx_mysql_thread_id, trx_id, trx_state, \
     TIMESTAMPDIFF(SECOND, trx_started, NOW(6)), TIMESTAMPDIFF(SECOND, trx_wait_started, NOW(6)), \
     trx_rows_locked, trx_tables_locked, trx_rows_modified FROM information_schema.innodb_trx";

/// What InnoDB tells of itself, transactions among it, as text of up to 1 MiB. Asked only where [`TRANSACTIONS`] cannot be read.
/// Needs PROCESS.
pub(crate) const INNODB_STATUS: &str = "SHOW ENGINE INNODB STATUS";

/// Every session with its whole statement. 0.05 s on both. Without PROCESS it shows the account's own sessions only.
pub(crate) const SESSIONS: &str = "SHOW FULL PROCESSLIST";

/// Ends a connection with whatever it runs. A millisecond; an account may always end its own.
pub(crate) fn kill(connection: u64) -> String {
    format!("KILL {connection}")
}

/// The account that the server signed this connection in as, and how it is protected. Free; needs nothing.
pub(crate) const ACCOUNT: &str = "SELECT CURRENT_USER()";

/// The cipher of this connection; empty on a plain one. Free; needs nothing.
pub(crate) const CIPHER: &str = "SHOW STATUS LIKE 'Ssl_cipher'";

/// The server's clock, as seconds since 1970. Free; needs nothing.
pub(crate) const CLOCK: &str = "SELECT UNIX_TIMESTAMP(NOW(6))";

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
