//! Session variables that Clew sets on every connection to a watched server.
//!
//! Administrators or `init_connect` can change their defaults.
//! Other values change the results of Clew's statements, or make them fail.
//!
//! One statement sets all variables. A variable that the server does not know or refuses is dropped.
//! Values are literal: `DEFAULT` would be the server's own default, which must not apply.
//!
//! All variables of MariaDB 10.11 and MySQL 9.7 were reviewed.
//! `docs/decisions/0049-session-variables.md` lists the omitted ones with reasons.

use std::time::Duration;

use crate::client::{Error, ServerError};
use clew_model::{Limitation, LimitationKind};

use crate::flavor::Flavor;

/// Server families that have a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServerFamilies {
    Both,
    MySql,
    MariaDb,
}

/// Value of a variable.
#[derive(Debug, Clone, Copy)]
enum SettingValue {
    /// Literal in the statement.
    Literal(&'static str),
    /// Time left for the connection, in whole seconds, rounded up.
    SecondsLeft,
    /// Time left for the connection, in milliseconds.
    MillisecondsLeft,
    /// Time left for the connection, in seconds with a fraction.
    FractionalSecondsLeft,
}

/// Variable that is set on every connection.
#[derive(Debug)]
pub(crate) struct SessionVariable {
    /// Name without scope.
    name: &'static str,
    servers: ServerFamilies,
    setting: SettingValue,
    /// Effect of other values.
    reason: &'static str,
}

const fn variable(
    name: &'static str,
    servers: ServerFamilies,
    setting: SettingValue,
    reason: &'static str,
) -> SessionVariable {
    SessionVariable { name, servers, setting, reason }
}

use ServerFamilies::{Both, MariaDb, MySql};
use SettingValue::{FractionalSecondsLeft, Literal, MillisecondsLeft, SecondsLeft};

/// Largest unsigned number: no limit.
const UNLIMITED: SettingValue = Literal("18446744073709551615");

/// All variables, in the order in which they are set. `max_join_size` comes first: it resets `sql_big_selects`.
static VARIABLES: [SessionVariable; 36] = [
    variable("time_zone", Both, Literal("'SYSTEM'"), "InnoDB prints times in the server's own time zone"),
    variable("timestamp", Both, Literal("DEFAULT"), "a fixed clock makes every age wrong"),
    variable("autocommit", Both, Literal("1"), "a transaction of Clew would stay open"),
    variable("sql_mode", Both, Literal("''"), "modes change quoting, escaping, parsing and padding"),
    variable("sql_select_limit", Both, UNLIMITED, "rows beyond the limit are missing from every result"),
    variable("max_join_size", Both, UNLIMITED, "reads of large tables fail with error 1104"),
    variable("sql_big_selects", Both, Literal("1"), "reads of large tables fail with error 1104"),
    variable("sql_safe_updates", Both, Literal("0"), "reads of large tables fail with error 1104 on some versions"),
    variable("sql_auto_is_null", Both, Literal("0"), "IS NULL finds the last inserted row"),
    variable("sql_buffer_result", Both, Literal("0"), "the server buffers whole results before it sends the first row"),
    variable("big_tables", Both, Literal("0"), "temporary tables are written to disk"),
    variable("max_sort_length", Both, Literal("1024"), "sorted results may come in another order"),
    variable("group_concat_max_len", Both, Literal("1048576"), "concatenated results are cut"),
    variable("div_precision_increment", Both, Literal("4"), "quotients are rounded"),
    variable("lc_messages", Both, Literal("'en_US'"), "error messages come in another language"),
    variable("lc_time_names", Both, Literal("'en_US'"), "names of days and months come in another language"),
    variable("lock_wait_timeout", Both, Literal("1"), "a read waits for a metadata lock"),
    variable("innodb_lock_wait_timeout", Both, Literal("1"), "a managed server's kill procedure waits for a row lock"),
    variable("net_read_timeout", Both, SecondsLeft, "the server keeps a connection whose client is gone"),
    variable("net_write_timeout", Both, SecondsLeft, "the server keeps a connection whose client is gone"),
    variable("wait_timeout", Both, SecondsLeft, "the server keeps a connection whose client is gone"),
    variable("max_execution_time", MySql, MillisecondsLeft, "a SELECT has no limit of its own"),
    variable("transaction_isolation", MySql, Literal("'REPEATABLE-READ'"), "a SERIALIZABLE read takes locks"),
    variable("transaction_read_only", MySql, Literal("0"), "a managed server's kill procedure cannot write its log"),
    variable("terminology_use_previous", MySql, Literal("'NONE'"), "instruments and commands have other names"),
    variable("use_secondary_engine", MySql, Literal("'OFF'"), "FORCED lets reads of system tables fail"),
    variable(
        "group_replication_consistency",
        MySql,
        Literal("'EVENTUAL'"),
        "a read waits for the replication of others",
    ),
    variable("max_statement_time", MariaDb, FractionalSecondsLeft, "a statement has no limit of its own"),
    variable("tx_isolation", MariaDb, Literal("'REPEATABLE-READ'"), "a SERIALIZABLE read takes locks"),
    variable("tx_read_only", MariaDb, Literal("0"), "a managed server's kill procedure cannot write its log"),
    variable("old_mode", MariaDb, Literal("'UTF8_IS_UTF8MB3'"), "columns of the process list differ"),
    variable("query_cache_type", MariaDb, Literal("'OFF'"), "a result may come from a cache"),
    variable("max_session_mem_used", MariaDb, Literal("9223372036854775807"), "large results fail with error 1290"),
    variable("tmp_disk_table_size", MariaDb, UNLIMITED, "large results fail with error 1114"),
    variable("wsrep_sync_wait", MariaDb, Literal("0"), "a read waits for the replication of a Galera cluster"),
    variable("wsrep_dirty_reads", MariaDb, Literal("1"), "a Galera node without a quorum refuses reads"),
];

/// Statement that sets the variables, and the variables that the server refused.
#[derive(Debug)]
pub(crate) struct SessionSetup {
    left: Duration,
    variables: Vec<&'static SessionVariable>,
    /// Variables that the server knows and refused to set.
    refused: Vec<&'static SessionVariable>,
    /// True if variables are set one by one, because the server did not name the refused one.
    one_by_one: bool,
}

/// Errors that name the variable: unknown, invalid value, wrong type, read-only, global only, other scope.
const NAMING_ERRORS: [u16; 6] = [1193, 1231, 1232, 1238, 1229, 1228];
/// Error for an unknown variable.
const UNKNOWN_VARIABLE_ERROR: u16 = 1193;

impl SessionSetup {
    /// Creates the setup of a connection that is used for the time `left`.
    pub(crate) fn new(flavor: Flavor, left: Duration) -> Self {
        let servers = match flavor {
            Flavor::MySql => ServerFamilies::MySql,
            Flavor::MariaDb => ServerFamilies::MariaDb,
        };
        let variables =
            VARIABLES.iter().filter(|variable| variable.servers == Both || variable.servers == servers).collect();
        Self { left, variables, refused: Vec::new(), one_by_one: false }
    }

    /// Returns the statements that set all variables and the character set UTF-8.
    /// It is one statement, unless the server refused a variable without naming it.
    pub(crate) fn statements(&self) -> Vec<String> {
        let set = |variable: &SessionVariable| format!("SESSION {} = {}", variable.name, self.value(variable.setting));
        let settings = self.variables.iter().map(|variable| set(variable));
        if self.one_by_one {
            return std::iter::once("NAMES utf8mb4".to_owned())
                .chain(settings)
                .map(|set| format!("SET {set}"))
                .collect();
        }
        let settings: Vec<String> = settings.collect();
        vec![format!("SET NAMES utf8mb4, {}", settings.join(", "))]
    }

    /// Drops the variable that this error of `statement` is about.
    /// Returns false if the error is about no variable.
    pub(crate) fn drop_refused(&mut self, statement: &str, error: &Error) -> bool {
        let Error::Server(error) = error else { return false };
        let at = self.variables.iter().position(|variable| refers_to(variable, statement, error));
        match at {
            Some(at) => {
                let variable = self.variables.remove(at);
                if error.code != UNKNOWN_VARIABLE_ERROR {
                    self.refused.push(variable);
                }
                true
            }
            // If variables are set one by one, the statement itself names the variable.
            None => !std::mem::replace(&mut self.one_by_one, true),
        }
    }

    /// Returns a limitation for each refused variable.
    pub(crate) fn limitations(&self) -> Vec<Limitation> {
        let limitation = |variable: &&SessionVariable| Limitation {
            kind: LimitationKind::SettingRefused,
            what: format!("Results may be incomplete: {}.", variable.reason),
            why: format!("The server does not let this account set the session variable {}.", variable.name),
            remedy: None,
        };
        self.refused.iter().map(limitation).collect()
    }

    fn value(&self, setting: SettingValue) -> String {
        match setting {
            Literal(value) => value.to_owned(),
            SecondsLeft => (self.left.as_secs() + 1).to_string(),
            // 0 would mean no limit, here and below.
            MillisecondsLeft => self.left.as_millis().max(1).to_string(),
            FractionalSecondsLeft => format!("{:.3}", self.left.as_secs_f64().max(0.001)),
        }
    }
}

/// Returns whether the error is about this variable: by its message, or because the statement sets only this one.
fn refers_to(variable: &SessionVariable, statement: &str, error: &ServerError) -> bool {
    let quoted = format!("'{}'", variable.name);
    let alone = statement
        .strip_prefix("SET SESSION ")
        .is_some_and(|rest| !rest.contains(", SESSION ") && rest.split(' ').next() == Some(variable.name));
    alone || (NAMING_ERRORS.contains(&error.code) && error.message.contains(&quoted))
}

#[cfg(test)]
mod tests {
    use clew_testkit::{Server, ServerOptions};

    use super::*;
    use crate::client::Client;
    use crate::connection::{RawConnection, set_variables};

    static UNKNOWN_VARIABLE: SessionVariable = variable("no_such_variable", Both, Literal("1"), "it has no effect");
    static FORBIDDEN: SessionVariable = variable("sql_log_off", Both, Literal("0"), "statements are logged");

    async fn connect(server: &Server) -> Client {
        RawConnection::open(&server.url_for("clew", "").parse().unwrap(), 1 << 30).await.unwrap().client
    }

    #[tokio::test]
    async fn ordinary_account_sets_all_variables_by_one_statement_on_a_server() {
        for flavor in clew_testkit::Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            server.run(&["CREATE USER clew@'%'", "SET GLOBAL sql_select_limit = 3"]).await.unwrap();
            let flavor = if flavor == clew_testkit::Flavor::MySql { Flavor::MySql } else { Flavor::MariaDb };
            let set_up = SessionSetup::new(flavor, Duration::from_secs(10));
            let statements = set_up.statements();
            assert_eq!(statements.len(), 1);
            let mut client = connect(&server).await;
            client.execute(&statements[0]).await.unwrap();

            // Unknown and refused variables are dropped, and all others are set.
            let mut client = connect(&server).await;
            let mut set_up = SessionSetup::new(flavor, Duration::from_secs(10));
            set_up.variables.insert(0, &UNKNOWN_VARIABLE);
            set_up.variables.insert(1, &FORBIDDEN);
            let limitations = set_variables(&mut client, set_up).await.unwrap();
            let [limitation] = limitations.as_slice() else { panic!("{flavor}: {limitations:?}") };
            assert_eq!(limitation.kind, LimitationKind::SettingRefused, "{flavor}");
            assert!(limitation.why.contains("sql_log_off"), "{flavor}: {limitation:?}");
            let limit: Vec<u64> = client.query_all("SELECT @@SESSION.sql_select_limit LIMIT 1").await.unwrap();
            assert_eq!(limit, [u64::MAX], "{flavor}");
        }
    }

    #[test]
    fn every_variable_is_set_once_and_has_a_reason() {
        for flavor in [Flavor::MySql, Flavor::MariaDb] {
            let mut names: Vec<&str> = SessionSetup::new(flavor, Duration::from_secs(1))
                .variables
                .iter()
                .map(|variable| variable.name)
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{flavor}");
        }
        assert!(VARIABLES.iter().all(|variable| !variable.reason.is_empty()));
    }

    #[test]
    fn error_about_no_variable_is_returned() {
        let mut set_up = SessionSetup::new(Flavor::MySql, Duration::from_secs(1));
        let error = || {
            let error = ServerError { code: 1064, message: "syntax".to_owned(), state: "42000".to_owned() };
            Error::Server(error)
        };
        assert!(set_up.drop_refused("SET NAMES utf8mb4, …", &error()), "one by one, the variable may be named");
        assert!(!set_up.drop_refused("SET NAMES utf8mb4", &error()));
    }
}
