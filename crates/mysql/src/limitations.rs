//! Descriptions of missing or inaccurate data, with causes and remedies, in English and Chinese.
//!
//! Limitations are also defined in `lost_instrumentation.rs`, `session_variables.rs` and `abandoned_statements.rs`.

pub(crate) mod durations;

use clew_model::{Limitation, LimitationKind, LocalizedText};

use crate::flavor::Flavor;
use crate::grant_statement::grant_statement;

/// Without the PROCESS privilege, an account sees neither the sessions of other accounts nor any transactions.
pub(crate) fn describe_missing_process_privilege(account: &str) -> [Limitation; 2] {
    let remedy = || Some(LocalizedText::untranslated(grant_statement("PROCESS ON *.*", account)));
    [
        Limitation {
            kind: LimitationKind::OnlyOwnSessions,
            what: LocalizedText::new("Sessions of other accounts are not visible.", "无法查看其他账号的会话。"),
            why: LocalizedText::new("The account lacks the PROCESS privilege.", "该账号缺少PROCESS权限。"),
            remedy: remedy(),
        },
        Limitation {
            kind: LimitationKind::NoTransactions,
            what: LocalizedText::new(
                "Transactions are not visible: transaction columns are empty, and the filter `long` matches no session.",
                "无法查看事务：事务相关列为空，过滤条件long匹配不到任何会话。",
            ),
            why: LocalizedText::new(
                "Reading information_schema.innodb_trx requires the PROCESS privilege.",
                "读取information_schema.innodb_trx需要PROCESS权限。",
            ),
            remedy: remedy(),
        },
    ]
}

pub(crate) fn describe_incomplete_transactions() -> Limitation {
    Limitation {
        kind: LimitationKind::PartOfTransactions,
        what: LocalizedText::new(
            "Transactions come from the InnoDB status: read-only transactions and numbers of locked tables are missing.",
            "事务信息取自InnoDB状态，不包含只读事务和锁定表数。",
        ),
        why: LocalizedText::new(
            "MySQL cannot read information_schema.innodb_trx (error 3854) while a transaction runs a statement with a four-byte \
             character, such as an emoji.",
            "有事务正在执行包含四字节字符（例如emoji）的语句时，MySQL无法读取information_schema.innodb_trx（错误3854）。",
        ),
        remedy: None,
    }
}

pub(crate) fn describe_truncated_statements() -> Limitation {
    Limitation {
        kind: LimitationKind::StatementsTruncated,
        what: LocalizedText::new("Statements are truncated after 1,024 bytes.", "SQL语句超过1024字节的部分被截断。"),
        why: LocalizedText::new(
            "performance_schema_show_processlist is ON, and performance_schema stores at most 1,024 bytes of a statement.",
            "performance_schema_show_processlist为ON，而performance_schema最多保存SQL语句的前1024字节。",
        ),
        remedy: Some(disable_show_processlist_remedy()),
    }
}

/// `loss` is the limitation that reports the threads missing from performance_schema.
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
        remedy: Some(disable_show_processlist_remedy()),
    }
}

fn disable_show_processlist_remedy() -> LocalizedText {
    LocalizedText::untranslated("SET GLOBAL performance_schema_show_processlist = OFF;")
}

pub(crate) fn describe_oversized_statements(count: u64, max_row_bytes: usize) -> Option<Limitation> {
    let kib = max_row_bytes >> 10;
    (count > 0).then(|| Limitation {
        kind: LimitationKind::StatementsTruncated,
        what: LocalizedText::new(
            format!("Statements of {count} sessions are truncated after about {kib} KiB."),
            format!("{count} 个会话的SQL语句超过约 {kib} KiB的部分被截断。"),
        ),
        why: LocalizedText::new(
            format!("Clew reads at most {max_row_bytes} bytes of a row, to limit its memory use."),
            format!("为限制内存占用，Clew每行最多读取 {max_row_bytes} 字节。"),
        ),
        remedy: Some(LocalizedText::new(
            "For clew serve and clew worker: increase nodes.max_row_bytes in the configuration file.",
            "对于clew serve和clew worker：在配置文件中调大nodes.max_row_bytes。",
        )),
    })
}

/// `max` is the number of sessions above which a live session list omits idle sessions.
pub(crate) fn describe_omitted_sessions(omitted: u64, total: u64, max: usize) -> Limitation {
    Limitation {
        kind: LimitationKind::SessionsTruncated,
        what: LocalizedText::new(
            format!("{omitted} of {total} sessions are not listed, but all sessions are counted."),
            format!("共 {total} 个会话，其中 {omitted} 个未列出，但会话统计包含全部会话。"),
        ),
        why: LocalizedText::new(
            format!("A live list has at most {max} sessions, or twice as many with busy sessions."),
            format!("实时列表最多包含 {max} 个会话，活跃会话较多时最多为该数量的两倍。"),
        ),
        remedy: None,
    }
}

pub(crate) fn describe_indirect_connection() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: LocalizedText::new("Sessions cannot be killed through this address.", "无法通过该地址Kill会话。"),
        why: LocalizedText::new(
            "Clew connects through a proxy or load balancer: the connection id in the handshake differs from CONNECTION_ID(), or the \
             process list does not contain Clew's own session. Listed sessions cannot be identified.",
            "Clew经由代理或负载均衡连接：握手报文中的连接ID与CONNECTION_ID()不一致，或者进程列表中没有Clew自身的会话，因此无法确认所列会话的身份。",
        ),
        remedy: Some(LocalizedText::new(
            "Register the address of the server itself, and kill sessions through that address.",
            "请添加数据库服务器自身的地址，并通过该地址Kill会话。",
        )),
    }
}

pub(crate) fn describe_load_balanced_address() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: LocalizedText::new(
            "The address leads to several servers: each read shows the sessions of one server.",
            "该地址对应多台服务器，每次只能读取其中一台服务器的会话。",
        ),
        why: LocalizedText::new(
            "Two connections reached servers with different identities, as behind a load balancer.",
            "两个连接到达的服务器标识不同，该地址可能指向负载均衡。",
        ),
        remedy: Some(LocalizedText::new(
            "Register each server with its own address, and kill sessions through that address.",
            "请分别添加每台服务器自身的地址，并通过该地址Kill会话。",
        )),
    }
}

pub(crate) fn describe_missing_kill_privilege(flavor: Flavor, account: &str) -> Limitation {
    let privilege = match flavor {
        Flavor::MySql => "CONNECTION_ADMIN",
        Flavor::MariaDb => "CONNECTION ADMIN",
    };
    Limitation {
        kind: LimitationKind::NoKill,
        what: LocalizedText::new("Sessions of other accounts cannot be killed.", "无法Kill其他账号的会话。"),
        why: LocalizedText::new(
            format!("The account lacks the privilege {privilege} (grants through roles are not checked)."),
            format!("该账号缺少{privilege}权限（未检查通过角色授予的权限）。"),
        ),
        remedy: Some(LocalizedText::untranslated(grant_statement(&format!("{privilege} ON *.*"), account))),
    }
}

pub(crate) fn describe_disabled_performance_schema() -> Limitation {
    Limitation {
        kind: LimitationKind::NoPerformanceSchema,
        what: LocalizedText::new(
            "Metadata locks and other waits outside InnoDB cannot be read.",
            "无法读取元数据锁及InnoDB之外的其他锁等待。",
        ),
        why: LocalizedText::new(
            "performance_schema is OFF and can only be enabled at server start.",
            "performance_schema为OFF，只能在数据库启动时开启。",
        ),
        remedy: Some(config_file_remedy("performance_schema = ON")),
    }
}

fn config_file_remedy(setting: &str) -> LocalizedText {
    LocalizedText::new(
        format!("{setting}, in the server's configuration file"),
        format!("{setting}（在数据库配置文件中设置）"),
    )
}

pub(crate) fn describe_unreadable_performance_schema(account: &str) -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: unreadable_metadata_locks_text(),
        why: LocalizedText::new(
            "The account lacks the SELECT privilege on performance_schema.",
            "该账号缺少performance_schema的SELECT权限。",
        ),
        remedy: Some(LocalizedText::untranslated(grant_statement("SELECT ON performance_schema.*", account))),
    }
}

pub(crate) fn describe_unrecorded_metadata_locks() -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: unreadable_metadata_locks_text(),
        why: LocalizedText::new(
            "The instrument wait/lock/metadata/sql/mdl is disabled. Once enabled, it records locks that are granted afterwards.",
            "未启用instrument wait/lock/metadata/sql/mdl。启用后，仅记录此后授予的锁。",
        ),
        remedy: Some(LocalizedText::untranslated(
            "UPDATE performance_schema.setup_instruments SET enabled = 'YES' WHERE name = 'wait/lock/metadata/sql/mdl';",
        )),
    }
}

fn unreadable_metadata_locks_text() -> LocalizedText {
    LocalizedText::new("Metadata locks cannot be read.", "无法读取元数据锁。")
}

const INSTALL_METADATA_LOCK_PLUGIN_STATEMENT: &str = "INSTALL SONAME 'metadata_lock_info';";

/// After a metadata lock is upgraded, MariaDB's performance_schema still lists the original lock mode.
pub(crate) fn describe_unknown_metadata_lock_holders() -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: LocalizedText::new("Some holders of metadata locks are unknown.", "部分元数据锁的持有者未知。"),
        why: LocalizedText::new(
            "MariaDB's performance_schema lists an upgraded metadata lock with its original mode.",
            "元数据锁升级后，MariaDB的performance_schema仍显示升级前的锁模式。",
        ),
        remedy: Some(LocalizedText::untranslated(INSTALL_METADATA_LOCK_PLUGIN_STATEMENT)),
    }
}

/// Without performance_schema, row locks are unreadable, because MySQL lists row locks nowhere else.
pub(crate) fn describe_unreadable_row_locks(gap: &Limitation) -> Limitation {
    Limitation {
        kind: LimitationKind::NoRowLocks,
        what: LocalizedText::new("Holders of InnoDB row locks cannot be read.", "无法读取InnoDB行锁的持有者。"),
        why: gap.why.clone(),
        remedy: gap.remedy.clone(),
    }
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

pub(crate) fn suggest_metadata_lock_plugin(gap: Limitation) -> Limitation {
    Limitation {
        remedy: Some(match gap.remedy {
            Some(remedy) => LocalizedText::new(
                format!("{remedy} -- or, for lock holders only: {INSTALL_METADATA_LOCK_PLUGIN_STATEMENT}"),
                format!("{} -- 如仅需读取锁的持有者：{INSTALL_METADATA_LOCK_PLUGIN_STATEMENT}", remedy.chinese),
            ),
            None => LocalizedText::untranslated(INSTALL_METADATA_LOCK_PLUGIN_STATEMENT),
        }),
        ..gap
    }
}

pub(crate) fn describe_unreadable_xids(message: &str, account: &str) -> Limitation {
    Limitation {
        kind: LimitationKind::NoPreparedNames,
        what: LocalizedText::new(
            "XIDs of prepared XA transactions cannot be read.",
            "无法读取已准备（prepared）XA事务的XID。",
        ),
        why: LocalizedText::new(
            format!("The server refused XA RECOVER: {message}"),
            format!("服务器拒绝执行XA RECOVER：{message}"),
        ),
        remedy: Some(LocalizedText::untranslated(grant_statement("XA_RECOVER_ADMIN ON *.*", account))),
    }
}

pub(crate) fn describe_empty_statement_history() -> Limitation {
    describe_unreadable_last_statements(
        LocalizedText::new(
            "The server stores no statement history, because performance_schema_events_statements_history_size is 0.",
            "服务器不保存历史语句，因为performance_schema_events_statements_history_size为0。",
        ),
        config_file_remedy("performance_schema_events_statements_history_size = 10"),
    )
}

pub(crate) fn describe_disabled_statement_history() -> Limitation {
    describe_unreadable_last_statements(
        LocalizedText::new(
            "The consumers for the statement history of performance_schema are disabled.",
            "未启用performance_schema中记录历史语句的consumer。",
        ),
        LocalizedText::untranslated(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('events_statements_current', 'events_statements_history');",
        ),
    )
}

fn describe_unreadable_last_statements(why: LocalizedText, remedy: LocalizedText) -> Limitation {
    Limitation {
        kind: LimitationKind::NoLastStatements,
        what: LocalizedText::new(
            "Latest statements of idle blockers cannot be read.",
            "无法读取空闲的阻塞会话最近执行的语句。",
        ),
        why,
        remedy: Some(remedy),
    }
}

pub(crate) fn describe_disabled_connection_attributes() -> Limitation {
    describe_unreadable_program_names(
        LocalizedText::new(
            "The server stores no connection attributes, because performance_schema_session_connect_attrs_size is 0.",
            "服务器不保存连接属性，因为performance_schema_session_connect_attrs_size为0。",
        ),
        Some(config_file_remedy("performance_schema_session_connect_attrs_size = 512")),
    )
}

pub(crate) fn describe_unreadable_program_names(why: LocalizedText, remedy: Option<LocalizedText>) -> Limitation {
    Limitation {
        kind: LimitationKind::NoProgramNames,
        what: LocalizedText::new("Program names of sessions cannot be read.", "无法读取会话的客户端程序。"),
        why,
        remedy,
    }
}

pub(crate) fn describe_missing_statement_digests() -> Limitation {
    let why = LocalizedText::new(
        "MariaDB computes the digest of a statement when the statement ends.",
        "MariaDB在语句执行结束时才计算SQL指纹。",
    );
    describe_unreadable_digests(why, None)
}

pub(crate) fn describe_missing_stored_program_digests() -> Limitation {
    let why = LocalizedText::new(
        "MySQL computes no digests for statements inside stored programs.",
        "MySQL不计算存储程序内语句的SQL指纹。",
    );
    describe_unreadable_digests(why, None)
}

/// `off` contains the names of the disabled performance_schema consumers.
pub(crate) fn describe_disabled_digest_consumers(off: &[&str]) -> Limitation {
    let names = off.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    describe_unreadable_digests(
        LocalizedText::new(
            "Consumers of performance_schema that are required for digests are disabled.",
            "未启用performance_schema中计算SQL指纹所需的consumer。",
        ),
        Some(LocalizedText::untranslated(format!(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ({names});"
        ))),
    )
}

pub(crate) fn describe_unreadable_digests(why: LocalizedText, remedy: Option<LocalizedText>) -> Limitation {
    Limitation {
        kind: LimitationKind::NoStatementDigests,
        what: LocalizedText::new(
            "Some or all digests of running statements cannot be read.",
            "无法读取部分或全部正在执行的语句的SQL指纹。",
        ),
        why,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all_limitations() -> Vec<Limitation> {
        let [own_sessions, no_transactions] = describe_missing_process_privilege("clew@%");
        let gap = describe_unreadable_performance_schema("clew@%");
        let unreadable = || (gap.why.clone(), gap.remedy.clone());
        let ((programs_why, programs_remedy), (digests_why, digests_remedy)) = (unreadable(), unreadable());
        vec![
            own_sessions,
            no_transactions,
            describe_incomplete_transactions(),
            describe_truncated_statements(),
            describe_incomplete_process_list(&gap),
            describe_oversized_statements(3, 65_536).unwrap(),
            describe_omitted_sessions(10, 2010, 2000),
            describe_indirect_connection(),
            describe_load_balanced_address(),
            describe_missing_kill_privilege(Flavor::MySql, "clew@%"),
            describe_missing_kill_privilege(Flavor::MariaDb, "clew@%"),
            describe_disabled_performance_schema(),
            describe_unrecorded_metadata_locks(),
            describe_unknown_metadata_lock_holders(),
            describe_unreadable_row_locks(&gap),
            describe_unreadable_pending_locks(gap.clone()),
            suggest_metadata_lock_plugin(Limitation { remedy: None, ..gap.clone() }),
            suggest_metadata_lock_plugin(gap.clone()),
            describe_unreadable_xids("Access denied", "clew@%"),
            describe_empty_statement_history(),
            describe_disabled_statement_history(),
            describe_disabled_connection_attributes(),
            describe_unreadable_program_names(programs_why, programs_remedy),
            describe_missing_statement_digests(),
            describe_missing_stored_program_digests(),
            describe_disabled_digest_consumers(&["statements_digest"]),
            describe_unreadable_digests(digests_why, digests_remedy),
            durations::describe_unreadable_timers(&gap),
            durations::describe_disabled_statement_recording(),
            durations::describe_sessions_without_timers(3),
            durations::describe_unchecked_session_durations(3),
            durations::describe_negative_session_durations(3),
            durations::describe_invalid_idle_durations(3),
            durations::describe_negative_transaction_durations(3),
            durations::describe_ambiguous_transaction_durations(3),
            durations::describe_unreadable_clock(),
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
}
