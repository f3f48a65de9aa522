//! Sets session variables on each connection to a monitored server.
//!
//! Administrators can change the defaults of session variables, for example with `init_connect`.
//! An unexpected default of a session variable could change the results of Clew's statements or cause errors.
//!
//! Clew sets all variables in one `SET` statement, or one at a time if the server rejects a variable without naming it.
//! Clew skips variables that the server does not support or refuses to set.
//! Clew sets most variables to literals, because `SET SESSION variable = DEFAULT` would select the server's global value.
//!
//! The list of variables is based on a review of all session variables of MySQL 9.7 and MariaDB 10.11.
//! `docs/decisions/0049-session-variables.md` explains why Clew leaves some session variables unchanged.

use std::time::Duration;

use crate::client::{Error, ServerError};
use clew_model::{Limitation, LimitationKind, LocalizedText};

use crate::flavor::Flavor;

#[derive(Debug, Clone, Copy)]
enum SessionVariableValue {
    Literal(&'static str),
    /// Remaining seconds until the connection's deadline, rounded up.
    SecondsLeft,
    MillisecondsLeft,
    FractionalSecondsLeft,
}

#[derive(Debug)]
pub(crate) struct SessionVariable {
    /// Name without a scope such as `SESSION`.
    name: &'static str,
    /// Server software that supports the session variable, or `None` if both MySQL and MariaDB support it.
    flavor: Option<Flavor>,
    setting: SessionVariableValue,
    /// Explains how an unexpected value of the session variable affects Clew's statements.
    reason: LocalizedText,
}

const fn variable(
    name: &'static str,
    flavor: Option<Flavor>,
    setting: SessionVariableValue,
    reason: LocalizedText,
) -> SessionVariable {
    SessionVariable { name, flavor, setting, reason }
}

const fn reason(english: &'static str, chinese: &'static str) -> LocalizedText {
    LocalizedText::from_static(english, chinese)
}

use Flavor::{MariaDb, MySql};
use SessionVariableValue::{FractionalSecondsLeft, Literal, MillisecondsLeft, SecondsLeft};

/// Value that means "no limit" for session variables that limit a size or a count.
const UNLIMITED_VALUE: SessionVariableValue = Literal("18446744073709551615");

const LARGE_TABLE_READ_FAILURE_REASON: LocalizedText =
    reason("reads of large tables fail with error 1104", "读取大表会失败（错误1104）");
const OPEN_LOST_CONNECTIONS_REASON: LocalizedText =
    reason("the server keeps connections of lost clients", "服务器会保留已断开客户端的连接");
const READ_LOCKS_REASON: LocalizedText = reason("a SERIALIZABLE read takes locks", "SERIALIZABLE隔离级别的读取会加锁");
const READ_ONLY_KILL_LOG_REASON: LocalizedText =
    reason("a managed server's kill procedure cannot write its log", "云数据库的Kill存储过程无法写入日志");

/// Clew sets `max_join_size` before `sql_big_selects`, because setting `max_join_size` resets `sql_big_selects`.
#[rustfmt::skip]
static SESSION_VARIABLES: [SessionVariable; 36] = [
    variable("time_zone", None, Literal("'SYSTEM'"), reason("InnoDB reports times in the server's own time zone", "InnoDB使用服务器时区报告时间")),
    variable("timestamp", None, Literal("DEFAULT"), reason("a fixed session time makes durations wrong", "固定的会话时间会导致时长错误")),
    variable("autocommit", None, Literal("1"), reason("a transaction of Clew would stay open", "Clew的事务会一直不提交")),
    variable("sql_mode", None, Literal("''"), reason("modes change quoting, escaping, parsing and padding", "SQL模式会改变引号、转义、语法解析和填充规则")),
    variable("sql_select_limit", None, UNLIMITED_VALUE, reason("rows beyond the limit are missing from every result", "所有结果都会缺少超出该限制的行")),
    variable("max_join_size", None, UNLIMITED_VALUE, LARGE_TABLE_READ_FAILURE_REASON),
    variable("sql_big_selects", None, Literal("1"), LARGE_TABLE_READ_FAILURE_REASON),
    variable("sql_safe_updates", None, Literal("0"), reason("reads of large tables fail with error 1104 on some versions", "在部分版本上读取大表会失败（错误1104）")),
    variable("sql_auto_is_null", None, Literal("0"), reason("IS NULL finds the last inserted row", "IS NULL会匹配最后插入的行")),
    variable("sql_buffer_result", None, Literal("0"), reason("the server buffers whole results before it sends the first row", "服务器缓存全部结果后才返回第一行")),
    variable("big_tables", None, Literal("0"), reason("temporary tables are written to disk", "临时表会写入磁盘")),
    variable("max_sort_length", None, Literal("1024"), reason("sorted results may come in another order", "结果的排序可能不同")),
    variable("group_concat_max_len", None, Literal("1048576"), reason("concatenated results are truncated", "拼接结果会被截断")),
    variable("div_precision_increment", None, Literal("4"), reason("quotients are rounded", "除法结果会被舍入")),
    variable("lc_messages", None, Literal("'en_US'"), reason("error messages come in another language", "错误信息会使用其他语言")),
    variable("lc_time_names", None, Literal("'en_US'"), reason("names of days and months come in another language", "星期和月份的名称会使用其他语言")),
    variable("lock_wait_timeout", None, Literal("1"), reason("a read waits for a metadata lock", "读取操作会等待元数据锁")),
    variable("innodb_lock_wait_timeout", None, Literal("1"), reason("a managed server's kill procedure waits for a row lock", "云数据库的Kill存储过程会等待行锁")),
    variable("net_read_timeout", None, SecondsLeft, OPEN_LOST_CONNECTIONS_REASON),
    variable("net_write_timeout", None, SecondsLeft, OPEN_LOST_CONNECTIONS_REASON),
    variable("wait_timeout", None, SecondsLeft, OPEN_LOST_CONNECTIONS_REASON),
    variable("max_execution_time", Some(MySql), MillisecondsLeft, reason("a SELECT has no timeout", "SELECT语句没有超时限制")),
    variable("transaction_isolation", Some(MySql), Literal("'REPEATABLE-READ'"), READ_LOCKS_REASON),
    variable("transaction_read_only", Some(MySql), Literal("0"), READ_ONLY_KILL_LOG_REASON),
    variable("terminology_use_previous", Some(MySql), Literal("'NONE'"), reason("instruments and commands have other names", "instrument和命令的名称会不同")),
    variable("use_secondary_engine", Some(MySql), Literal("'OFF'"), reason("reads of system tables fail with FORCED", "值为FORCED时，读取系统表会失败")),
    variable("group_replication_consistency", Some(MySql), Literal("'EVENTUAL'"), reason("a read waits for replication", "读取操作会等待复制")),
    variable("max_statement_time", Some(MariaDb), FractionalSecondsLeft, reason("a statement has no timeout", "语句没有超时限制")),
    variable("tx_isolation", Some(MariaDb), Literal("'REPEATABLE-READ'"), READ_LOCKS_REASON),
    variable("tx_read_only", Some(MariaDb), Literal("0"), READ_ONLY_KILL_LOG_REASON),
    variable("old_mode", Some(MariaDb), Literal("'UTF8_IS_UTF8MB3'"), reason("columns of the process list differ", "进程列表的列会不同")),
    variable("query_cache_type", Some(MariaDb), Literal("'OFF'"), reason("a result may come from a cache", "结果可能来自查询缓存")),
    variable("max_session_mem_used", Some(MariaDb), Literal("9223372036854775807"), reason("large results fail with error 1290", "较大的结果会失败（错误1290）")),
    variable("tmp_disk_table_size", Some(MariaDb), UNLIMITED_VALUE, reason("large results fail with error 1114", "较大的结果会失败（错误1114）")),
    variable("wsrep_sync_wait", Some(MariaDb), Literal("0"), reason("a read waits for the replication of a Galera cluster", "读取操作会等待Galera集群的复制")),
    variable("wsrep_dirty_reads", Some(MariaDb), Literal("1"), reason("a Galera node without a quorum refuses reads", "失去仲裁（quorum）的Galera节点会拒绝读取")),
];

#[derive(Debug)]
pub(crate) struct SetStatementBuilder {
    left: Duration,
    variables: Vec<&'static SessionVariable>,
    /// Session variables that the server supports but refused to set.
    refused: Vec<&'static SessionVariable>,
    /// If true, a separate `SET` statement sets each variable, so that an error identifies the refused variable.
    one_by_one: bool,
}

/// Error codes of a rejected `SET` statement. The error message contains the name of the rejected variable.
/// A server refuses a `SET` statement if a variable is unknown, read-only or global, or if its value is invalid.
const SESSION_VARIABLE_REFUSAL_ERROR_CODES: [u16; 6] = [1193, 1231, 1232, 1238, 1229, 1228];
const ER_UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;

impl SetStatementBuilder {
    /// `left` is the remaining time until the connection's deadline.
    pub(crate) fn new(flavor: Flavor, left: Duration) -> Self {
        let has_variable = |variable: &&SessionVariable| variable.flavor.is_none_or(|only| only == flavor);
        let variables = SESSION_VARIABLES.iter().filter(has_variable).collect();
        Self { left, variables, refused: Vec::new(), one_by_one: false }
    }

    /// Returns a single `SET` statement, or one per variable if the server's error did not name the refused variable.
    pub(crate) fn build_set_statements(&self) -> Vec<String> {
        let set = |variable: &SessionVariable| {
            format!("SESSION {} = {}", variable.name, self.format_variable_value(variable.setting))
        };
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

    /// Removes the variable that caused the error, or switches to one statement per variable. Returns true to request a retry.
    pub(crate) fn remove_refused_variable(&mut self, statement: &str, error: &Error) -> bool {
        let Error::Server(error) = error else { return false };
        let at = self.variables.iter().position(|variable| is_error_caused_by_variable(variable, statement, error));
        match at {
            Some(at) => {
                let variable = self.variables.remove(at);
                if error.code != ER_UNKNOWN_SYSTEM_VARIABLE {
                    self.refused.push(variable);
                }
                true
            }
            // If each variable has its own statement, the statement identifies the variable.
            None => !std::mem::replace(&mut self.one_by_one, true),
        }
    }

    pub(crate) fn describe_refused_session_variables(&self) -> Vec<Limitation> {
        let limitation = |variable: &&SessionVariable| Limitation {
            kind: LimitationKind::SettingRefused,
            what: LocalizedText::new(
                format!("Results may be incomplete: {}.", variable.reason),
                format!("结果可能不完整：{}。", variable.reason.chinese),
            ),
            why: LocalizedText::new(
                format!("The server does not allow this account to set the session variable {}.", variable.name),
                format!("服务器不允许该账号设置会话变量{}。", variable.name),
            ),
            remedy: None,
        };
        self.refused.iter().map(limitation).collect()
    }

    fn format_variable_value(&self, setting: SessionVariableValue) -> String {
        match setting {
            Literal(value) => value.to_owned(),
            SecondsLeft => (self.left.as_secs() + 1).to_string(),
            // The value 0 would mean no limit, here and below.
            MillisecondsLeft => self.left.as_millis().max(1).to_string(),
            FractionalSecondsLeft => format!("{:.3}", self.left.as_secs_f64().max(0.001)),
        }
    }
}

/// Returns true if the error message names `variable` or if `statement` sets only `variable`.
fn is_error_caused_by_variable(variable: &SessionVariable, statement: &str, error: &ServerError) -> bool {
    let quoted = format!("'{}'", variable.name);
    let alone = statement
        .strip_prefix("SET SESSION ")
        .is_some_and(|rest| !rest.contains(", SESSION ") && rest.split(' ').next() == Some(variable.name));
    alone || (SESSION_VARIABLE_REFUSAL_ERROR_CODES.contains(&error.code) && error.message.contains(&quoted))
}

#[cfg(test)]
mod tests {
    use clew_testkit::{DatabaseServer, DatabaseServerOptions};

    use super::*;
    use crate::client::Client;
    use crate::connection::set_session_variables;
    use crate::connector::NodeConnector;
    use crate::raw_connection::RawConnection;

    static UNKNOWN_VARIABLE: SessionVariable =
        variable("no_such_variable", None, Literal("1"), reason("it has no effect", "没有影响"));
    static FORBIDDEN: SessionVariable =
        variable("sql_log_off", None, Literal("0"), reason("statements are logged", "语句会被记录"));

    async fn connect(server: &DatabaseServer) -> Client {
        RawConnection::open(&server.url_for_account("clew", "").parse().unwrap(), &NodeConnector::default())
            .await
            .unwrap()
            .client
    }

    #[tokio::test]
    async fn ordinary_account_sets_all_variables_by_one_statement_on_a_server() {
        for flavor in clew_testkit::Flavor::ALL {
            let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
            server.run_statements(&["CREATE USER clew@'%'", "SET GLOBAL sql_select_limit = 3"]).await.unwrap();
            let flavor = if flavor == clew_testkit::Flavor::MySql { Flavor::MySql } else { Flavor::MariaDb };
            let set_up = SetStatementBuilder::new(flavor, Duration::from_secs(10));
            let statements = set_up.build_set_statements();
            assert_eq!(statements.len(), 1);
            let mut client = connect(&server).await;
            client.execute(&statements[0]).await.unwrap();

            // Unknown and refused variables are dropped, and all others are set.
            let mut client = connect(&server).await;
            let mut set_up = SetStatementBuilder::new(flavor, Duration::from_secs(10));
            set_up.variables.insert(0, &UNKNOWN_VARIABLE);
            set_up.variables.insert(1, &FORBIDDEN);
            let limitations = set_session_variables(&mut client, set_up).await.unwrap();
            let [limitation] = limitations.as_slice() else { panic!("{flavor}: {limitations:?}") };
            assert_eq!(limitation.kind, LimitationKind::SettingRefused, "{flavor}");
            assert!(limitation.why.english.contains("sql_log_off"), "{flavor}: {limitation:?}");
            let limit: Vec<u64> = client.query_all_rows("SELECT @@SESSION.sql_select_limit LIMIT 1").await.unwrap();
            assert_eq!(limit, [u64::MAX], "{flavor}");
        }
    }

    #[test]
    fn every_variable_is_set_once_and_has_a_reason() {
        for flavor in [Flavor::MySql, Flavor::MariaDb] {
            let mut names: Vec<&str> = SetStatementBuilder::new(flavor, Duration::from_secs(1))
                .variables
                .iter()
                .map(|variable| variable.name)
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{flavor}");
        }
        for variable in &SESSION_VARIABLES {
            assert!(variable.reason.is_translated(), "{variable:?}");
        }
        let refused = SESSION_VARIABLES.iter().collect();
        let set_up = SetStatementBuilder { refused, ..SetStatementBuilder::new(Flavor::MySql, Duration::ZERO) };
        for limitation in set_up.describe_refused_session_variables() {
            assert!(limitation.what.is_translated() && limitation.why.is_translated(), "{limitation:?}");
        }
    }

    #[test]
    fn error_about_no_variable_is_returned() {
        let mut set_up = SetStatementBuilder::new(Flavor::MySql, Duration::from_secs(1));
        let error = || {
            let error = ServerError { code: 1064, message: "syntax".to_owned(), state: "42000".to_owned() };
            Error::Server(error)
        };
        assert!(
            set_up.remove_refused_variable("SET NAMES utf8mb4, …", &error()),
            "one by one, the variable may be named"
        );
        assert!(!set_up.remove_refused_variable("SET NAMES utf8mb4", &error()));
    }
}
