//! Descriptions of missing or inaccurate durations of sessions and transactions.

use clew_model::{Limitation, LimitationKind, LocalizedText};

fn describe_unreliable_durations(what: LocalizedText, why: LocalizedText, remedy: Option<LocalizedText>) -> Limitation {
    Limitation { kind: LimitationKind::UnreliableAges, what, why, remedy }
}

fn spoofable_durations_reason(english: &str, chinese: &str) -> LocalizedText {
    LocalizedText::new(
        format!("Sessions can change their durations in MySQL's process list with SET timestamp{english}"),
        format!("会话可通过SET timestamp更改其在MySQL进程列表中的时长{chinese}"),
    )
}

fn unreliable_session_durations_text() -> LocalizedText {
    LocalizedText::new(
        "Session durations may be wrong, and kill rules kill no session.",
        "会话时长可能不准确，自动Kill会话任务不会Kill任何会话。",
    )
}

/// `gap` contains the reason why performance_schema is unreadable.
pub(crate) fn describe_unreadable_timers(gap: &Limitation) -> Limitation {
    let why = spoofable_durations_reason(&format!(". {}", gap.why.english), &format!("。{}", gap.why.chinese));
    describe_unreliable_durations(unreliable_session_durations_text(), why, gap.remedy.clone())
}

pub(crate) fn describe_disabled_statement_recording() -> Limitation {
    describe_unreliable_durations(
        unreliable_session_durations_text(),
        spoofable_durations_reason(
            ", and the server does not record running statements.",
            "，而服务器未记录正在执行的语句。",
        ),
        Some(LocalizedText::untranslated(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('global_instrumentation', \
             'thread_instrumentation', 'events_statements_current'); \
             UPDATE performance_schema.setup_instruments SET enabled = 'YES', timed = 'YES' WHERE name LIKE 'statement/%';",
        )),
    )
}

pub(crate) fn describe_sessions_without_timers(sessions: u64) -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new(
            format!("Durations of {sessions} sessions may be wrong, and kill rules ignore these sessions."),
            format!("{sessions} 个会话的时长可能不准确，自动Kill会话任务会忽略这些会话。"),
        ),
        spoofable_durations_reason(
            ", and the server does not record the statements of these sessions.",
            "，而服务器未记录这些会话的语句。",
        ),
        Some(LocalizedText::untranslated(
            "UPDATE performance_schema.threads SET instrumented = 'YES' WHERE processlist_id IS NOT NULL;",
        )),
    )
}

pub(crate) fn describe_unchecked_session_durations(sessions: u64) -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new(
            format!("Durations of {sessions} sessions may be wrong."),
            format!("{sessions} 个会话的时长可能不准确。"),
        ),
        spoofable_durations_reason(
            ", and more sessions are busy than a snapshot checks.",
            "，而活跃会话数超过单次采集可校验的数量。",
        ),
        None,
    )
}

pub(crate) fn describe_negative_session_durations(sessions: u64) -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new(
            format!("Durations of {sessions} sessions are negative and are shown as 0."),
            format!("{sessions} 个会话的时长为负值，显示为0。"),
        ),
        LocalizedText::new(
            "The server's clock was set back after these sessions entered their current state.",
            "这些会话进入当前状态后，服务器时钟被回拨。",
        ),
        None,
    )
}

pub(crate) fn describe_invalid_idle_durations(sessions: u64) -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new(
            format!("Durations of {sessions} idle sessions are negative or implausible and are shown as 0."),
            format!("{sessions} 个空闲会话的时长为负值或异常，显示为0。"),
        ),
        LocalizedText::new(
            "The server's clock was set back, or the sessions ran SET timestamp.",
            "服务器时钟被回拨，或者会话执行了SET timestamp。",
        ),
        None,
    )
}

pub(crate) fn describe_negative_transaction_durations(transactions: u64) -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new(
            format!("{transactions} transaction durations are negative and are shown as 0."),
            format!("{transactions} 个事务的持续时长为负值，显示为0。"),
        ),
        LocalizedText::new(
            "The server's clock was set back after these transactions began.",
            "这些事务开始后，服务器时钟被回拨。",
        ),
        None,
    )
}

pub(crate) fn describe_ambiguous_transaction_durations(transactions: u64) -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new(
            format!("{transactions} transaction durations may be an hour longer than shown."),
            format!("{transactions} 个事务的实际持续时长可能比显示值多一小时。"),
        ),
        LocalizedText::new(
            "InnoDB reports local times, and the start time is ambiguous because daylight-saving time ended.",
            "InnoDB使用本地时间，夏令时结束导致事务的开始时间无法唯一确定。",
        ),
        None,
    )
}

pub(crate) fn describe_unreadable_clock() -> Limitation {
    describe_unreliable_durations(
        LocalizedText::new("Transaction durations are shown as 0.", "事务的持续时长显示为0。"),
        LocalizedText::new("The server did not return its current time.", "服务器未返回当前时间。"),
        None,
    )
}
