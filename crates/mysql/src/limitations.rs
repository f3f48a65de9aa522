//! Descriptions of missing or inaccurate data, with causes and remedies, in English and Chinese.
//!
//! More notes about missing data are defined in `lost_instrumentation.rs`, `session_variables.rs` and `abandoned_statements.rs`.

use clew_model::{Limitation, LimitationKind, LocalizedText, localized};

use crate::flavor::Flavor;
use crate::grants::RoleName;

/// Defines functions that return a `Limitation`. The texts can contain placeholders for the function arguments.
macro_rules! limitations {
    ($(
        $(#[$about:meta])*
        $name:ident($($argument:ident: $type:ty),*) -> $kind:ident {
            what: $what_english:literal, $what_chinese:literal;
            why: $why_english:literal, $why_chinese:literal;
            $(remedy: $remedy:expr;)?
        }
    )+) => {$(
        $(#[$about])*
        pub(crate) fn $name($($argument: $type),*) -> Limitation {
            Limitation {
                kind: LimitationKind::$kind,
                what: localized!($what_english, $what_chinese),
                why: localized!($why_english, $why_chinese),
                remedy: [$($remedy)?].into_iter().next(),
            }
        }
    )+};
}

fn config_file_setting(setting: &str) -> LocalizedText {
    localized!("{setting}, in the server's configuration file", "{setting}（在数据库配置文件中设置）")
}

const DISABLE_SHOW_PROCESSLIST_SETTING_STATEMENT: &str = "SET GLOBAL performance_schema_show_processlist = OFF;";
const INSTALL_METADATA_LOCK_PLUGIN_STATEMENT: &str = "INSTALL SONAME 'metadata_lock_info';";

/// An account that lacks the PROCESS privilege cannot see other accounts' sessions or any transactions.
pub(crate) fn describe_missing_process_privilege(account: &str) -> [Limitation; 2] {
    [describe_invisible_sessions(account), describe_invisible_transactions(account)]
}

limitations! {
    describe_invisible_sessions(account: &str) -> OnlyOwnSessions {
        what: "Sessions of other accounts are not visible.", "无法查看其他账号的会话。";
        why: "The account lacks the PROCESS privilege.", "该账号缺少PROCESS权限。";
        remedy: LocalizedText::untranslated(build_grant_statement("PROCESS ON *.*", account));
    }

    describe_invisible_transactions(account: &str) -> NoTransactions {
        what: "Transactions are not visible: transaction columns are empty, and the filter `long` matches no session.",
            "无法查看事务：事务相关列为空，过滤条件long匹配不到任何会话。";
        why: "Reading information_schema.innodb_trx requires the PROCESS privilege.",
            "读取information_schema.innodb_trx需要PROCESS权限。";
        remedy: LocalizedText::untranslated(build_grant_statement("PROCESS ON *.*", account));
    }

    describe_incomplete_transactions() -> PartOfTransactions {
        what: "Transactions come from the InnoDB status: read-only transactions and numbers of locked tables are missing.",
            "事务信息取自InnoDB状态，不包含只读事务和锁定表数。";
        why: "MySQL cannot read information_schema.innodb_trx (error 3854) while a transaction runs a statement with a four-byte \
              character, such as an emoji.",
            "有事务正在执行包含四字节字符（例如emoji）的语句时，MySQL无法读取information_schema.innodb_trx（错误3854）。";
    }

    describe_truncated_statements() -> StatementsTruncated {
        what: "Statements are truncated after 1,024 bytes.", "SQL语句超过1024字节的部分被截断。";
        why: "performance_schema_show_processlist is ON, and performance_schema stores at most 1,024 bytes of a statement.",
            "performance_schema_show_processlist为ON，而performance_schema最多保存SQL语句的前1024字节。";
        remedy: LocalizedText::untranslated(DISABLE_SHOW_PROCESSLIST_SETTING_STATEMENT);
    }

    /// `kib` is `max_row_bytes` in KiB.
    describe_oversized_statements(count: u64, max_row_bytes: usize, kib: usize) -> StatementsTruncated {
        what: "Statements of {count} sessions are truncated after about {kib} KiB.",
            "{count} 个会话的SQL语句超过约 {kib} KiB的部分被截断。";
        why: "Clew reads at most {max_row_bytes} bytes of a row, to limit its memory use.",
            "为限制内存占用，Clew每行最多读取 {max_row_bytes} 字节。";
        remedy: LocalizedText::new(
            "For clew serve and clew worker: increase nodes.max_row_bytes in the configuration file.",
            "对于clew serve和clew worker：在配置文件中调大nodes.max_row_bytes。",
        );
    }

    /// If a node has more than `max` sessions, the live session list omits idle sessions.
    describe_omitted_sessions(omitted: u64, total: u64, max: usize) -> SessionsTruncated {
        what: "{omitted} of {total} sessions are not listed, but all sessions are counted.",
            "共 {total} 个会话，其中 {omitted} 个未列出，但会话统计包含全部会话。";
        why: "A live list has at most {max} sessions, or twice as many with busy sessions.",
            "实时列表最多包含 {max} 个会话，活跃会话较多时最多为该数量的两倍。";
    }

    describe_indirect_connection() -> Indirect {
        what: "Sessions cannot be killed through this address.", "无法通过该地址Kill会话。";
        why: "Clew connects through a proxy or load balancer: the connection id in the handshake differs from CONNECTION_ID(), or the \
              process list does not contain Clew's own session. Listed sessions cannot be identified.",
            "Clew经由代理或负载均衡连接：握手报文中的连接ID与CONNECTION_ID()不一致，或者进程列表中没有Clew自身的会话，因此无法确认所列会话的身份。";
        remedy: LocalizedText::new(
            "Register the address of the server itself, and kill sessions through that address.",
            "请添加数据库服务器自身的地址，并通过该地址Kill会话。",
        );
    }

    describe_load_balanced_address() -> Indirect {
        what: "The address leads to several servers: each read shows the sessions of one server.",
            "该地址对应多台服务器，每次只能读取其中一台服务器的会话。";
        why: "Two connections reached servers with different identities, as behind a load balancer.",
            "两个连接到达的服务器标识不同，该地址可能指向负载均衡。";
        remedy: LocalizedText::new(
            "Register each server with its own address, and kill sessions through that address.",
            "请分别添加每台服务器自身的地址，并通过该地址Kill会话。",
        );
    }

    describe_missing_kill_privilege(privilege: &str, account: &str) -> NoKill {
        what: "Sessions of other accounts cannot be killed.", "无法Kill其他账号的会话。";
        why: "The account lacks the privilege {privilege}, or the role with the privilege is not active.",
            "该账号缺少{privilege}权限，或者具有该权限的角色未激活。";
        remedy: LocalizedText::untranslated(build_grant_statement(&format!("{privilege} ON *.*"), account));
    }

    describe_disabled_performance_schema() -> NoPerformanceSchema {
        what: "Metadata locks and other waits outside InnoDB cannot be read.", "无法读取元数据锁及InnoDB之外的其他锁等待。";
        why: "performance_schema is OFF and can only be enabled at server start.",
            "performance_schema为OFF，只能在数据库启动时开启。";
        remedy: config_file_setting("performance_schema = ON");
    }

    describe_unreadable_performance_schema(account: &str) -> NoMetadataLocks {
        what: "Metadata locks cannot be read.", "无法读取元数据锁。";
        why: "The account lacks the SELECT privilege on performance_schema.", "该账号缺少performance_schema的SELECT权限。";
        remedy: LocalizedText::untranslated(build_grant_statement("SELECT ON performance_schema.*", account));
    }

    describe_unrecorded_metadata_locks() -> NoMetadataLocks {
        what: "Metadata locks cannot be read.", "无法读取元数据锁。";
        why: "The instrument wait/lock/metadata/sql/mdl is disabled. Once enabled, it records locks that are granted afterwards.",
            "未启用instrument wait/lock/metadata/sql/mdl。启用后，仅记录此后授予的锁。";
        remedy: LocalizedText::untranslated(
            "UPDATE performance_schema.setup_instruments SET enabled = 'YES' WHERE name = 'wait/lock/metadata/sql/mdl';",
        );
    }

    describe_unsupported_metadata_locks() -> NoMetadataLocks {
        what: "Metadata locks cannot be read.", "无法读取元数据锁。";
        why: "This server release does not record metadata locks: MySQL supports them since 5.7, MariaDB since 10.5.",
            "该版本的数据库不记录元数据锁：MySQL自5.7起支持，MariaDB自10.5起支持。";
    }

    /// After a metadata lock is upgraded, MariaDB's performance_schema still lists the original lock mode.
    describe_unknown_metadata_lock_holders() -> NoMetadataLocks {
        what: "Some holders of metadata locks are unknown.", "部分元数据锁的持有者未知。";
        why: "MariaDB's performance_schema lists an upgraded metadata lock with its original mode.",
            "元数据锁升级后，MariaDB的performance_schema仍显示升级前的锁模式。";
        remedy: LocalizedText::untranslated(INSTALL_METADATA_LOCK_PLUGIN_STATEMENT);
    }

    describe_unreadable_xids(message: &str, account: &str) -> NoPreparedNames {
        what: "XIDs of prepared XA transactions cannot be read.", "无法读取已准备（prepared）XA事务的XID。";
        why: "The server refused XA RECOVER: {message}", "服务器拒绝执行XA RECOVER：{message}";
        remedy: LocalizedText::untranslated(build_grant_statement("XA_RECOVER_ADMIN ON *.*", account));
    }

    describe_empty_statement_history() -> NoLastStatements {
        what: "Latest statements of idle blockers cannot be read.", "无法读取空闲的阻塞会话最近执行的语句。";
        why: "The server stores no statement history, because performance_schema_events_statements_history_size is 0.",
            "服务器不保存历史语句，因为performance_schema_events_statements_history_size为0。";
        remedy: config_file_setting("performance_schema_events_statements_history_size = 10");
    }

    describe_disabled_statement_history() -> NoLastStatements {
        what: "Latest statements of idle blockers cannot be read.", "无法读取空闲的阻塞会话最近执行的语句。";
        why: "The consumers for the statement history of performance_schema are disabled.",
            "未启用performance_schema中记录历史语句的consumer。";
        remedy: LocalizedText::untranslated(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('events_statements_current', 'events_statements_history');",
        );
    }

    describe_disabled_connection_attributes() -> NoProgramNames {
        what: "Program names of sessions cannot be read.", "无法读取会话的客户端程序。";
        why: "The server stores no connection attributes, because performance_schema_session_connect_attrs_size is 0.",
            "服务器不保存连接属性，因为performance_schema_session_connect_attrs_size为0。";
        remedy: config_file_setting("performance_schema_session_connect_attrs_size = 512");
    }

    describe_missing_statement_digests() -> NoStatementDigests {
        what: "Some or all digests of running statements cannot be read.", "无法读取部分或全部正在执行的语句的SQL指纹。";
        why: "MariaDB computes the digest of a statement when the statement ends.", "MariaDB在语句执行结束时才计算SQL指纹。";
    }

    describe_missing_stored_program_digests() -> NoStatementDigests {
        what: "Some or all digests of running statements cannot be read.", "无法读取部分或全部正在执行的语句的SQL指纹。";
        why: "MySQL computes no digests for statements inside stored programs.", "MySQL不计算存储程序内语句的SQL指纹。";
    }

    /// `off` contains the names of disabled performance_schema consumers that are required for statement digests.
    describe_disabled_digest_consumers(off: &[&str]) -> NoStatementDigests {
        what: "Some or all digests of running statements cannot be read.", "无法读取部分或全部正在执行的语句的SQL指纹。";
        why: "Consumers of performance_schema that are required for digests are disabled.",
            "未启用performance_schema中计算SQL指纹所需的consumer。";
        remedy: LocalizedText::untranslated(format!(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('{}');",
            off.join("', '")
        ));
    }

    describe_disabled_statement_recording() -> UnreliableAges {
        what: "Session durations may be wrong, and kill rules kill no session.",
            "会话时长可能不准确，自动Kill会话任务不会Kill任何会话。";
        why: "Sessions can change their durations in MySQL's process list with SET timestamp, and the server \
              does not record running statements.",
            "会话可通过SET timestamp更改其在MySQL进程列表中的时长，而服务器未记录正在执行的语句。";
        remedy: LocalizedText::untranslated(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('global_instrumentation', \
             'thread_instrumentation', 'events_statements_current'); \
             UPDATE performance_schema.setup_instruments SET enabled = 'YES', timed = 'YES' WHERE name LIKE 'statement/%';",
        );
    }

    describe_unsupported_statement_timers() -> UnreliableAges {
        what: "Session durations may be wrong, and kill rules kill no session.",
            "会话时长可能不准确，自动Kill会话任务不会Kill任何会话。";
        why: "Sessions can change their durations in MySQL's process list with SET timestamp, and MySQL before 5.7 does not \
              report the durations of running statements.",
            "会话可通过SET timestamp更改其在MySQL进程列表中的时长，而MySQL 5.7之前的版本不提供正在执行的语句的时长。";
    }

    describe_uninstrumented_sessions(sessions: u64) -> UnreliableAges {
        what: "Durations of {sessions} sessions may be wrong, and kill rules ignore these sessions.",
            "{sessions} 个会话的时长可能不准确，自动Kill会话任务会忽略这些会话。";
        why: "Sessions can change their durations in MySQL's process list with SET timestamp, and the server does not record the \
              statements of these sessions.",
            "会话可通过SET timestamp更改其在MySQL进程列表中的时长，而服务器未记录这些会话的语句。";
        remedy: LocalizedText::untranslated(
            "UPDATE performance_schema.threads SET instrumented = 'YES' WHERE processlist_id IS NOT NULL;",
        );
    }

    describe_unchecked_session_durations(sessions: u64) -> UnreliableAges {
        what: "Durations of {sessions} sessions may be wrong.", "{sessions} 个会话的时长可能不准确。";
        why: "Sessions can change their durations in MySQL's process list with SET timestamp, and more sessions are busy than a \
              snapshot checks.",
            "会话可通过SET timestamp更改其在MySQL进程列表中的时长，而活跃会话数超过单次采集可校验的数量。";
    }

    describe_negative_session_durations(sessions: u64) -> UnreliableAges {
        what: "Durations of {sessions} sessions are negative and are shown as 0.", "{sessions} 个会话的时长为负值，显示为0。";
        why: "The server's clock was set back after these sessions entered their current state.",
            "这些会话进入当前状态后，服务器时钟被回拨。";
    }

    describe_invalid_idle_durations(sessions: u64) -> UnreliableAges {
        what: "Durations of {sessions} idle sessions are negative or implausible and are shown as 0.",
            "{sessions} 个空闲会话的时长为负值或异常，显示为0。";
        why: "The server's clock was set back, or the sessions ran SET timestamp.",
            "服务器时钟被回拨，或者会话执行了SET timestamp。";
    }

    describe_negative_transaction_durations(transactions: u64) -> UnreliableAges {
        what: "{transactions} transaction durations are negative and are shown as 0.",
            "{transactions} 个事务的持续时长为负值，显示为0。";
        why: "The server's clock was set back after these transactions began.", "这些事务开始后，服务器时钟被回拨。";
    }

    describe_ambiguous_transaction_durations(transactions: u64) -> UnreliableAges {
        what: "{transactions} transaction durations may be an hour longer than shown.",
            "{transactions} 个事务的实际持续时长可能比显示值多一小时。";
        why: "InnoDB reports local times, and the start time is ambiguous because daylight-saving time ended.",
            "InnoDB使用本地时间，夏令时结束导致事务的开始时间无法唯一确定。";
    }

    describe_unreadable_clock() -> UnreliableAges {
        what: "Transaction durations are shown as 0.", "事务的持续时长显示为0。";
        why: "The server did not return its current time.", "服务器未返回当前时间。";
    }
}

/// Returns the note that sessions may be missing from the process list. `loss` describes the unrecorded threads.
pub(crate) fn describe_incomplete_process_list(loss: &Limitation) -> Limitation {
    Limitation {
        kind: loss.kind,
        what: LocalizedText::new("Sessions may be missing from the process list.", "进程列表中可能缺少部分会话。"),
        why: LocalizedText::new(
            format!(
                "The process list comes from performance_schema, because performance_schema_show_processlist is ON. {}",
                loss.why.english
            ),
            format!("performance_schema_show_processlist为ON，进程列表取自performance_schema。{}", loss.why.chinese),
        ),
        remedy: Some(LocalizedText::untranslated(DISABLE_SHOW_PROCESSLIST_SETTING_STATEMENT)),
    }
}

/// `gap` contains the reason why `performance_schema` is unreadable.
pub(crate) fn describe_unreadable_timers(gap: &Limitation) -> Limitation {
    let recording = describe_disabled_statement_recording();
    let why = LocalizedText::new(
        format!("Sessions can change their durations in MySQL's process list with SET timestamp. {}", gap.why.english),
        format!("会话可通过SET timestamp更改其在MySQL进程列表中的时长。{}", gap.why.chinese),
    );
    Limitation { why, remedy: gap.remedy.clone(), ..recording }
}

/// On MySQL, row locks are readable only through `performance_schema`.
pub(crate) fn describe_unreadable_row_locks(gap: &Limitation) -> Limitation {
    Limitation {
        kind: LimitationKind::NoRowLocks,
        what: LocalizedText::new("Holders of InnoDB row locks cannot be read.", "无法读取InnoDB行锁的持有者。"),
        ..gap.clone()
    }
}

/// Returns `limitation` with the cause and the remedy of `gap`.
/// `gap` is the note about missing data that explains why performance_schema is unreadable.
pub(crate) fn replace_cause_and_remedy(limitation: Limitation, gap: &Limitation) -> Limitation {
    Limitation { why: gap.why.clone(), remedy: gap.remedy.clone(), ..limitation }
}

/// MariaDB's `metadata_lock_info` plugin lists granted metadata locks but no pending ones.
pub(crate) fn describe_unreadable_pending_locks(gap: Limitation) -> Limitation {
    Limitation {
        what: LocalizedText::new(
            "Pending metadata locks cannot be read and are inferred from session states and statements.",
            "无法读取等待中的元数据锁请求，由Clew根据会话状态和SQL语句推断得出。",
        ),
        ..gap
    }
}

/// Suggests MariaDB's `metadata_lock_info` plugin before the remedy of `gap`.
/// The plugin lists the holders of all metadata locks immediately and requires no restart.
/// The metadata lock instrument lists only locks that the server grants after the instrument is enabled.
pub(crate) fn suggest_metadata_lock_plugin(gap: Limitation) -> Limitation {
    Limitation {
        remedy: Some(match gap.remedy {
            Some(remedy) => LocalizedText::new(
                format!(
                    "{INSTALL_METADATA_LOCK_PLUGIN_STATEMENT} -- lists lock holders (Debian package: mariadb-server). \
                     To list pending lock requests as well: {remedy}"
                ),
                format!(
                    "{INSTALL_METADATA_LOCK_PLUGIN_STATEMENT} -- 可读取锁的持有者（Debian软件包：mariadb-server）。\
                     如需同时读取等待中的锁请求：{}",
                    remedy.chinese
                ),
            ),
            None => LocalizedText::untranslated(INSTALL_METADATA_LOCK_PLUGIN_STATEMENT),
        }),
        ..gap
    }
}

/// Formats a `GRANT` statement that Clew suggests to the user but never executes.
/// `privilege` is a privilege with its scope, such as `PROCESS ON *.*`. `account` has the format `user@host`.
///
/// An anonymous account must not get privileges, because every unknown user name on its host matches it.
/// The server prefers an anonymous account with a specific host to the intended account on any host.
pub(crate) fn build_grant_statement(privilege: &str, account: &str) -> String {
    let quoted = quote_account_name(account);
    if account.starts_with('@') {
        return format!("DROP USER {quoted}; -- this anonymous account matches before the intended account");
    }
    format!("{GRANT}{privilege}{TO}{quoted};")
}

const GRANT: &str = "GRANT ";
const TO: &str = " TO ";

/// Returns the privilege with its scope from a statement of [`build_grant_statement`].
pub(crate) fn granted_privilege(remedy: &str) -> Option<&str> {
    Some(remedy.strip_prefix(GRANT)?.split_once(TO)?.0)
}

pub(crate) fn build_default_role_statement(flavor: Flavor, role: &RoleName, account: &str) -> String {
    let preposition = match flavor {
        Flavor::MySql => "TO",
        Flavor::MariaDb => "FOR",
    };
    format!("SET DEFAULT ROLE {} {preposition} {};", role.as_str(), quote_account_name(account))
}

/// Converts `user@host` to a quoted SQL account name, such as `'user'@'host'`.
fn quote_account_name(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
    format!("'{}'@'{}'", quote(user), quote(host))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all_limitations() -> Vec<Limitation> {
        let [own_sessions, no_transactions] = describe_missing_process_privilege("clew@%");
        let gap = describe_unreadable_performance_schema("clew@%");
        vec![
            own_sessions,
            no_transactions,
            describe_incomplete_transactions(),
            describe_truncated_statements(),
            describe_incomplete_process_list(&gap),
            describe_oversized_statements(3, 65_536, 64),
            describe_omitted_sessions(10, 2010, 2000),
            describe_indirect_connection(),
            describe_load_balanced_address(),
            describe_missing_kill_privilege("CONNECTION_ADMIN", "clew@%"),
            describe_disabled_performance_schema(),
            describe_unrecorded_metadata_locks(),
            describe_unsupported_metadata_locks(),
            describe_unknown_metadata_lock_holders(),
            describe_unreadable_row_locks(&gap),
            describe_unreadable_pending_locks(gap.clone()),
            suggest_metadata_lock_plugin(Limitation { remedy: None, ..gap.clone() }),
            suggest_metadata_lock_plugin(gap.clone()),
            describe_unreadable_xids("Access denied", "clew@%"),
            describe_empty_statement_history(),
            describe_disabled_statement_history(),
            describe_disabled_connection_attributes(),
            replace_cause_and_remedy(describe_disabled_connection_attributes(), &gap),
            describe_missing_statement_digests(),
            describe_missing_stored_program_digests(),
            describe_disabled_digest_consumers(&["statements_digest"]),
            replace_cause_and_remedy(describe_missing_statement_digests(), &gap),
            describe_unreadable_timers(&gap),
            describe_disabled_statement_recording(),
            describe_unsupported_statement_timers(),
            describe_uninstrumented_sessions(3),
            describe_unchecked_session_durations(3),
            describe_negative_session_durations(3),
            describe_invalid_idle_durations(3),
            describe_negative_transaction_durations(3),
            describe_ambiguous_transaction_durations(3),
            describe_unreadable_clock(),
            gap,
        ]
    }

    #[test]
    fn limitations_are_translated() {
        for limitation in all_limitations() {
            assert!(limitation.what.is_translated() && limitation.why.is_translated(), "{limitation:?}");
            let is_statement =
                |remedy: &LocalizedText| remedy.english == remedy.chinese && remedy.english.ends_with(';');
            let remedy = limitation.remedy.as_ref();
            assert!(remedy.is_none_or(|remedy| remedy.is_translated() || is_statement(remedy)), "{remedy:?}");
        }
    }

    #[test]
    fn every_kind_of_limitation_is_tested() {
        let mut kinds: HashSet<LimitationKind> = LimitationKind::ALL.into();
        for limitation in all_limitations() {
            kinds.remove(&limitation.kind);
        }
        // Other files define these limitations and test their texts.
        let elsewhere = [
            LimitationKind::LostMetadataLocks,
            LimitationKind::LostThreads,
            LimitationKind::LostStatements,
            LimitationKind::LostConnectAttributes,
            LimitationKind::SettingRefused,
            LimitationKind::StatementNotKilled,
        ];
        assert_eq!(kinds, HashSet::from(elsewhere));
    }

    #[test]
    fn quoted_account_is_valid_in_a_grant_statement() {
        assert_eq!(quote_account_name("clew@%"), "'clew'@'%'");
        assert_eq!(quote_account_name("o'brien@home@10.0.0.%"), "'o''brien@home'@'10.0.0.%'");
    }
}
